"""Write `openapi/traffic.json`: the operations that traffic has confirmed.

    record_traffic.py              the official SDKs, on the embedded backend and scripted servers
    record_traffic.py SERVER ...   servers of other projects: `tuft`, `skyrl-tx`, `skyrl`,
                                   `hatchery`, `twinkle`, or `all`

The entries of the other servers are kept. The SDK of each kept release calls all its public
methods, in its own environment; requests and responses are validated against the specification of
the release. The first run with a server installs it into `.venvs`, which takes gigabytes.

Exits with 1 if a request is invalid, or a response without a reason in
`openapi/server_differences.yaml`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

os.environ["HF_HUB_OFFLINE"] = "1"  # Tokenizers are in the model's folder.

from codegen.build import kept_releases
from codegen.documents import dump_json, load_json
from codegen.paths import ROOT, TRAFFIC
from codegen.server_differences import load_server_differences, server_problems, unexplained
from conformance.interop.server_traffic import record_server
from conformance.interop.servers import SERVERS
from conformance.interop.traffic import document, traffic_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.documents import Json


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("servers", nargs="*", metavar="SERVER")
    names = parser.parse_args().servers
    unknown = set(names) - {*SERVERS, "all"}
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}; known: {', '.join(SERVERS)}")
    # On SIGTERM the contexts exit, which stops the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if names:
        return _record_servers(SERVERS if "all" in names else names)
    return _record_sdks()


def _record_sdks() -> int:
    """Record the official SDKs on the servers of this project."""
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
    _write(document(traffic, load_json(TRAFFIC).get("servers", {})))
    return 1 if errors else 0


def _record_servers(names: Iterable[str]) -> int:
    """Record this client and official SDKs on servers of other projects."""
    errors = 0
    for name in names:
        entry = record_server(SERVERS[name])
        for client, summary in entry["clients"].items():
            confirmed, called = len(summary["confirmed"]), len(summary["unconfirmed"])
            print(f"{name}, {client}: {confirmed} of {called + confirmed} operations confirmed")
        content = load_json(TRAFFIC)
        servers = {**content.get("servers", {}), name: entry}
        _write({**content, "servers": {key: servers[key] for key in SERVERS if key in servers}})
        problems = unexplained(server_problems({name: entry}), load_server_differences())
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        errors += len(problems)
    return 1 if errors else 0


def _write(content: Json) -> None:
    TRAFFIC.write_text(dump_json(content), encoding="utf-8")
    print(TRAFFIC.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
