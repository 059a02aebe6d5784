"""Take this client and the official ones through servers: `servers.py [SERVER[/CLIENT] ...]`.

A server is one of `embedded`, `tuft`, `skyrl-tx`; a client is `ours` or a release, as `0.38.0`.
Without a name all is redone, which takes an hour and more; `tuft` redoes what is about it, and
`tuft/ours` one column. What came of it is kept in `.cache`, and the table of `docs/servers.md` is
written from all that is kept; as long as a column is missing there, it is only shown. The servers
are installed into `.venvs` the first time: gigabytes.
Fails if a step of this client hangs or goes wrong by its doing.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for `tests`
os.environ["HF_HUB_OFFLINE"] = "1"  # Tokenizers are in the model's folder.

from interop.columns import OURS, Column, kept, outcomes_of, table  # noqa: E402
from interop.environments import python_of  # noqa: E402
from interop.servers import SERVERS, Running, running  # noqa: E402
from interop.session import drive_by  # noqa: E402

from tests.interop.servers import ALL  # noqa: E402
from tinker_ext.embedded.launch import start_embedded  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interop.outcomes import Outcome

PAGE = ROOT / "docs" / "servers.md"
PLACE = re.compile(r"(?<=<!-- made by `make servers` -->\n).*?(?=<!-- end -->)", re.DOTALL)
NAMES = ("embedded", *SERVERS)
RELEASES = ("0.4.1", "0.25.0", "0.38.0")
CLIENTS = ("ours", *RELEASES)

# What an official client may take, in seconds, for a step and for all of them: one that waits for
# ever on every step is not waited for to the end.
STEP_SECONDS = 150
TOUR_SECONDS = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="SERVER[/CLIENT]")
    wanted = _columns(parser.parse_args().names or list(NAMES), parser)
    # Ended from outside, it leaves its contexts, and the server ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    done = []
    for server, client in wanted:
        done.append(_column(server, client))
    _write()
    ours = [one for column in done if column.client == OURS for one in column.outcomes]
    return 0 if all(one.ending.good for one in ours) else 1


def _write() -> None:
    """Write the table of all that is kept into the page; show it where columns are missing."""
    pairs = [(server, client) for server in NAMES for client in CLIENTS]
    seen = [kept(server, _title(client)) for server, client in pairs]
    text = table([column for column in seen if column is not None])
    if None in seen:
        missing = ["/".join(pair) for pair, one in zip(pairs, seen, strict=True) if one is None]
        print(f"{text}\n\n{PAGE.name} is as it was: nothing is kept yet of {', '.join(missing)}")
        return
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda _: f"\n{text}\n\n", page, count=1), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def _columns(names: list[str], parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """The servers and clients that are named, each pair once."""
    found: dict[tuple[str, str], None] = {}
    for name in names:
        server, _, client = name.partition("/")
        if server not in NAMES or client not in ("", *CLIENTS):
            parser.error(f"{name}: a server is one of {NAMES}, a client one of {CLIENTS}")
        found.update(dict.fromkeys((server, one) for one in ([client] if client else CLIENTS)))
    return list(found)


def _title(client: str) -> str:
    return OURS if client == "ours" else f"tinker {client}"


def _column(name: str, client: str) -> Column:
    """Start the server anew, let one client see it, and keep what came of it."""
    with tempfile.TemporaryDirectory() as folder, _started(name, Path(folder)) as server:
        if client == "ours":
            outcomes = ALL.run(server, lambda one: print(name, client, _line(one), flush=True))
        else:
            outcomes = _official(server, client)
            for one in outcomes:
                print(name, client, _line(one), flush=True)
    column = Column(name, _title(client), datetime.now(UTC).date().isoformat(), outcomes)
    column.keep()
    return column


def _line(one: Outcome) -> str:
    return f"{one.seconds:6.1f} s  {one.ending}  {one.name}  {one.words}"


@contextmanager
def _started(name: str, folder: Path) -> Iterator[Running]:
    if name == "embedded":
        with start_embedded(folder) as embedded:
            yield Running(embedded.url, "embedded/tiny")
        return
    with running(SERVERS[name], folder) as server:
        yield server


def _official(server: Running, release: str) -> list[Outcome]:
    settings = {"DRIVER_BASE_MODEL": server.model, "DRIVER_STEP_SECONDS": str(STEP_SECONDS)}
    run = drive_by(python_of(release), "tour", server.url, settings, TOUR_SECONDS)
    return outcomes_of(run)


if __name__ == "__main__":
    sys.exit(main())
