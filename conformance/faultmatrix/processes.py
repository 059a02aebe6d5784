"""Runs all cells in several processes, because threads share one core."""

from __future__ import annotations

import gc
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from conformance.faultmatrix.operations import OPERATIONS
from conformance.faultmatrix.runner import CellResult, run_operations

_unexpected_errors: list[str] = []


def run_all(processes: int = 2, workers: int = 6) -> dict[str, dict[str, CellResult]]:
    """Run all cells with `workers` threads per process; return the unexpected results.

    Raises:
        RuntimeError: a warning was issued, or an error was raised outside of a call.
    """
    with ProcessPoolExecutor(processes, get_context("spawn"), _fail_on_warnings) as pool:
        shares = pool.map(_run_share, range(processes), repeat(processes), repeat(workers))
        return {name: row for share in shares for name, row in share.items()}


def _fail_on_warnings() -> None:
    """Report what pytest reports: warnings, and errors in threads and destructors."""
    warnings.simplefilter("error")
    sys.unraisablehook = lambda args: _unexpected_errors.append(repr(args.exc_value))
    threading.excepthook = lambda args: _unexpected_errors.append(repr(args.exc_value))


def _run_share(first: int, step: int, workers: int) -> dict[str, dict[str, CellResult]]:
    unexpected = run_operations(OPERATIONS[first::step], workers)
    gc.collect()
    if _unexpected_errors:
        raise RuntimeError("\n".join(_unexpected_errors))
    return unexpected
