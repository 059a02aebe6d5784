"""This client beside the official SDK's release 0.4.1, in one run, in turn: medians and ratios.

    make benchmark

Both talk to the same stub server on loopback, each run in a fresh process. On a shared machine
trust the ratios.
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

from interop.environments import python_of, variables
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
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
def stub_server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, HERE / "stub_server.py", str(port)])
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


def run(python: str, module: str, url: str, what: str, sizes: tuple[str, ...]) -> dict[str, float]:
    command = [python, str(HERE / "driver.py"), module, url, what, *sizes]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, check=True, env=variables()
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    clients = (("tinker_ext", sys.executable), ("tinker", str(python_of("0.4.1"))))
    table = Table("case", "figure", "tinker_ext", "tinker 0.4.1", "ratio")
    with stub_server() as url:
        for what, sizes in CASES:
            figures: dict[tuple[str, str], list[float]] = defaultdict(list)
            for _ in range(ROUNDS):
                for module, python in clients:
                    for name, value in run(python, module, url, what, sizes).items():
                        figures[name, module].append(value)
            for name in dict.fromkeys(name for name, _ in figures):
                ours, theirs = (statistics.median(figures[name, module]) for module, _ in clients)
                case = f"{what} {' x '.join(sizes)}"
                table.add_row(case, name, f"{ours:.3g}", f"{theirs:.3g}", f"{ours / theirs:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
