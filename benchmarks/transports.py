"""Compare the CPU time of this client's transports and of the official SDK.

    python benchmarks/transports.py [ROUNDS]

The clients take turns, each run in a new process. A figure is the minimum of all rounds. A ratio is
the median of the ratios within a round, because other work on the machine changes between rounds.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.compare import run, stub_server
from conformance.interop.environments import python_of
from tinker_ext.config.parsers import HTTP_TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

FIGURE = {"sampling": "cpu_s_per_1000", "training": "cpu_s"}
# The last case is a JSON request of 13 MB.
CASES = (
    ("0.38.0", "sampling", ("1", "400")),
    ("0.38.0", "sampling", ("16", "800")),
    ("0.38.0", "sampling", ("64", "1200")),
    ("0.38.0", "sampling", ("400", "2000")),
    ("0.38.0", "training", ("256", "2048")),
    ("0.4.1", "training", ("256", "2048")),
)


def run_round(
    release: str, url: str, case: str, sizes: tuple[str, ...]
) -> Iterator[tuple[str, float]]:
    """The figure of each client."""
    for transport in HTTP_TRANSPORTS:
        variable = {"TINKER_EXT_HTTP_TRANSPORT": transport}
        result = run(sys.executable, "tinker_ext", url, case, sizes, **variable)
        yield transport, result[FIGURE[case]]
    result = run(str(python_of(release)), "tinker", url, case, sizes)
    yield "official", result[FIGURE[case]]


def measured(rounds: int) -> Iterator[tuple[str, ...]]:
    for release, case, sizes in CASES:
        figures: dict[str, list[float]] = defaultdict(list)
        with stub_server(release) as url:
            for _ in range(rounds):
                for name, value in run_round(release, url, case, sizes):
                    figures[name].append(value)
        minima = (f"{min(values):.3g}" for values in figures.values())
        ratios = (_ratio(figures["aiohttp"], figures[other]) for other in ("httpcore", "official"))
        yield f"{case} {' x '.join(sizes)}", release, FIGURE[case], *minima, *ratios


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(a / b for a, b in zip(ours, theirs, strict=True)):.2f}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    names = ("httpcore", "aiohttp", "official", "aiohttp/httpcore", "aiohttp/official")
    table = Table("case", "release", "figure", *names)
    for row in measured(rounds):
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
