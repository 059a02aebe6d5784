"""Write `openapi/traffic.json`: which operations the official SDKs have confirmed.

Each kept release's own SDK is put through its whole surface, in an environment of its own; what it
sends and takes is held to the specification of the release. Fails on anything that differs.
"""

from __future__ import annotations

import sys

from interop.traffic import TRAFFIC, document, kept_releases, traffic_of

from codegen.documents import dump_json
from codegen.paths import ROOT


def main() -> int:
    traffic = traffic_of(kept_releases())
    trouble = 0
    for release, found in traffic.items():
        summary = found.summary
        confirmed = len(summary["confirmed"])
        print(f"{release}: {confirmed} of {summary['operations']} operations confirmed")
        for name, error in found.failures.items():
            print(f"  step {name}: {error}", file=sys.stderr)
        for problem in found.problems:
            print(f"  {problem}", file=sys.stderr)
        trouble += len(found.failures) + len(found.problems)
    TRAFFIC.write_text(dump_json(document(traffic)), encoding="utf-8")
    print(TRAFFIC.relative_to(ROOT))
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
