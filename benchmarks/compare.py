"""Compare this client with two releases of the official SDK: medians and ratios.

    make benchmark

For each release, a stub server on loopback implements its protocol for both clients. Each run is a
new process, and the clients take turns. On a shared machine only the ratios are reliable.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from conformance.interop.environments import python_of, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RELEASES = ("0.4.1", "0.38.0")
ROUNDS = 3
CASES = (
    ("import", ()),
    ("sampling", ("1", "100")),
    ("sampling", ("64", "600")),
    ("sampling", ("400", "1200")),
    ("training", ("64", "512")),
    ("training", ("256", "2048")),
)
LIMIT = 180.0  # Seconds for one run.


@contextmanager
def stub_server(protocol: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, HERE / "stub_server.py", str(port), protocol])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def run(
    python: str, module: str, url: str, case: str, sizes: tuple[str, ...], **environment: str
) -> dict[str, float]:
    command = [python, str(HERE / "driver.py"), module, url, case, *sizes]
    completed = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
        env=variables(**environment),
    )
    result: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    return result


def measured(release: str) -> Iterator[tuple[str, ...]]:
    """A row for each case and figure, with both clients using the protocol of the release."""
    clients = (("tinker_ext", sys.executable), ("tinker", str(python_of(release))))
    with stub_server(release) as url:
        for case, sizes in CASES:
            figures: dict[tuple[str, str], list[float]] = defaultdict(list)
            for _ in range(ROUNDS):
                for module, python in clients:
                    for name, value in run(python, module, url, case, sizes).items():
                        figures[name, module].append(value)
            for name in dict.fromkeys(name for name, _ in figures):
                ours, theirs = (statistics.median(figures[name, module]) for module, _ in clients)
                title = f"{case} {' x '.join(sizes)}"
                yield title, name, f"{ours:.3g}", f"{theirs:.3g}", f"{ours / theirs:.2f}"


def main() -> None:
    for release in RELEASES:
        table = Table("case", "figure", "tinker_ext", f"tinker {release}", "ratio")
        for row in measured(release):
            table.add_row(*row)
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
