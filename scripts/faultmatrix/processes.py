"""The cells on several cores: the threads of one process share one."""

from __future__ import annotations

import gc
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from faultmatrix.cells import Seen, run_rows
from faultmatrix.operations import OPERATIONS

_complaints: list[str] = []


def run_all(processes: int = 2, workers: int = 6) -> dict[str, dict[str, Seen]]:
    """Run all cells, some at a time in each process; by row, what differs from what is to come.

    Raises:
        RuntimeError: there was a warning, or an error where nobody waits for one.
    """
    with ProcessPoolExecutor(processes, get_context("spawn"), _be_strict) as pool:
        parts = pool.map(_run_part, range(processes), repeat(processes), repeat(workers))
        return {name: row for part in parts for name, row in part.items()}


def _be_strict() -> None:
    """Mind what tests mind: warnings, and errors in threads and while objects are removed."""
    warnings.simplefilter("error")
    sys.unraisablehook = lambda given: _complaints.append(repr(given.exc_value))
    threading.excepthook = lambda given: _complaints.append(repr(given.exc_value))


def _run_part(first: int, step: int, workers: int) -> dict[str, dict[str, Seen]]:
    different = run_rows(OPERATIONS[first::step], workers)
    gc.collect()
    if _complaints:
        raise RuntimeError("\n".join(_complaints))
    return different
