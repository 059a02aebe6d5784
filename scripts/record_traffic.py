"""Write `openapi/traffic.json`: the operations that the official SDKs have confirmed.

The SDK of each kept release calls all its public methods, in its own environment; requests and
responses are validated against the specification of the release. Exits with 1 on any difference.
"""

from __future__ import annotations

import sys

from codegen.build import kept_releases
from codegen.documents import dump_json
from codegen.paths import ROOT
from conformance.interop.traffic import TRAFFIC, document, traffic_of


def main() -> int:
    traffic = traffic_of(kept_releases())
    errors = 0
    for release, recorded in traffic.items():
        summary = recorded.summary
        confirmed = len(summary["confirmed"])
        print(f"{release}: {confirmed} of {summary['operations']} operations confirmed")
        for name, error in recorded.failures.items():
            print(f"  step {name}: {error}", file=sys.stderr)
        for problem in recorded.problems:
            print(f"  {problem}", file=sys.stderr)
        errors += len(recorded.failures) + len(recorded.problems)
    TRAFFIC.write_text(dump_json(document(traffic)), encoding="utf-8")
    print(TRAFFIC.relative_to(ROOT))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
