"""Run this client and the official ones on several servers: `servers.py [SERVER[/CLIENT] ...]`.

SERVER is one of `embedded`, `tuft`, `skyrl-tx`, `skyrl`, `hatchery`, `twinkle`; CLIENT is `ours` or
a release such as `0.38.0`. Without arguments all columns are run, which takes hours; `tuft` runs
the columns of that server, and `tuft/ours` one column. The outcomes are cached in `.cache`. The
tables of `docs/servers.md` are written from the cached columns; they are only printed while a
column is missing.
The first run installs the servers into `.venvs`, which takes gigabytes.
Exits with 1 if a step of this client hangs or fails through its own fault.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["HF_HUB_OFFLINE"] = "1"  # Tokenizers are in the model's folder.

from packaging.version import Version

from conformance.interop.servers import SERVERS, Running, running
from conformance.interop.session import run_program
from conformance.interop.support_matrix import (
    OURS,
    Column,
    load_column,
    outcomes_of,
    summary,
    table,
)
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.server_check import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinker_ext.server_check.runner import Outcome

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "servers.md"
PLACE = r"(?<=<!-- made by `make servers`: {} -->\n).*?(?=<!-- end -->)"
NAMES = ("embedded", *SERVERS)
RELEASES = ("0.4.1", "0.25.0", "0.38.0")

# Seconds that this client may take for a step. A busy machine compiles for minutes.
OUR_STEP_SECONDS = 600.0
# Seconds that an official client may take for a step, and for all of them: some clients wait for
# ever at every step.
STEP_SECONDS = 150
TOUR_SECONDS = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="SERVER[/CLIENT]")
    columns = _columns(parser.parse_args().names or list(NAMES), parser)
    # On SIGTERM the contexts exit, which stops the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    done = [_column(server, client) for server, client in columns]
    _write()
    ours = [item for column in done if column.client == OURS for item in column.outcomes]
    return 0 if all(outcome.ending.good for outcome in ours) else 1


def _write() -> None:
    """Write the table of the cached columns to the page; print it if columns are missing."""
    pairs = [(server, client) for server in NAMES for client in _clients(server)]
    cached = [load_column(server, _title(client)) for server, client in pairs]
    columns = [column for column in cached if column is not None]
    ours = [column for column in columns if column.client == OURS]
    texts = {"summary": summary(ours), "steps": table(columns)}
    if None in cached:
        missing = [
            "/".join(pair) for pair, column in zip(pairs, cached, strict=True) if column is None
        ]
        print(*texts.values(), sep="\n\n")
        print(f"\n{PAGE.name} was not changed: not run yet: {', '.join(missing)}")
        return
    page = PAGE.read_text(encoding="utf-8")
    for name, text in texts.items():
        parts = re.split(PLACE.format(name), page, flags=re.DOTALL)
        if len(parts) != 2:
            raise RuntimeError(f"{PAGE.name} has {len(parts) - 1} places for the {name}, not one")
        page = f"\n{text}\n\n".join(parts)
    PAGE.write_text(page, encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def _clients(server: str) -> list[str]:
    """This client, and the official releases, including the one that the server implements."""
    releases = {*RELEASES, *([SERVERS[server].official] if server in SERVERS else [])}
    return ["ours", *sorted(releases, key=Version)]


def _columns(names: list[str], parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """The pairs of server and client that `names` select, without duplicates."""
    pairs: dict[tuple[str, str], None] = {}
    for name in names:
        server, _, client = name.partition("/")
        if server not in NAMES:
            parser.error(f"{name}: a server is one of {', '.join(NAMES)}")
        if client not in ("", *_clients(server)):
            parser.error(f"{name}: a client is one of {', '.join(_clients(server))}")
        clients = [client] if client else _clients(server)
        pairs.update(dict.fromkeys((server, item) for item in clients))
    return list(pairs)


def _title(client: str) -> str:
    return OURS if client == "ours" else f"tinker {client}"


def _column(name: str, client: str) -> Column:
    """Run one client on a fresh server, and cache the outcomes."""
    with tempfile.TemporaryDirectory() as folder, _started(name, Path(folder)) as server:
        if client == "ours":
            outcomes = ALL.run(
                server.checked(),
                lambda outcome: print(name, client, _line(outcome), flush=True),
                timeout=OUR_STEP_SECONDS,
            )
        else:
            outcomes = _official(server, client)
            for outcome in outcomes:
                print(name, client, _line(outcome), flush=True)
    column = Column(name, _title(client), datetime.now(UTC).date().isoformat(), outcomes)
    column.save()
    return column


def _line(outcome: Outcome) -> str:
    return f"{outcome.seconds:6.1f} s  {outcome.ending}  {outcome.name}  {outcome.detail}"


@contextmanager
def _started(name: str, folder: Path) -> Iterator[Running]:
    if name == "embedded":
        with start_embedded(folder) as embedded:
            yield Running(embedded.url, "embedded/tiny")
        return
    with running(SERVERS[name], folder) as server:
        yield server


def _official(server: Running, release: str) -> list[Outcome]:
    settings = {
        "DRIVER_BASE_MODEL": server.model,
        "DRIVER_STEP_SECONDS": str(STEP_SECONDS),
        "DRIVER_HEADERS": json.dumps(dict(server.headers)),
    }
    return outcomes_of(run_program(release, "tour", server.url, settings, TOUR_SECONDS))


if __name__ == "__main__":
    sys.exit(main())
