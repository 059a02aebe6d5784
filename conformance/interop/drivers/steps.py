"""Runs the steps of a program in order and reports each as one line of JSON."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = Callable[[Any], Any]


def run_steps(steps: Iterable[Step], state: Any, limit: float | None = None) -> None:
    """Call each step with `state`, on which a step leaves its results for the steps after it.

    A step that fails, or that is abandoned after `limit` seconds, does not prevent the next ones
    from running.
    """
    for step in steps:
        started = time.perf_counter()
        value, error = _run(step, state) if limit is None else _run_within(limit, step, state)
        seconds = round(time.perf_counter() - started, 4)
        line = {"name": step.__name__, "value": value, "error": error, "seconds": seconds}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _run(step: Step, state: Any) -> tuple[Any, str | None]:
    """The value of a step, or its error."""
    try:
        return step(state), None
    except Exception as error:  # any error is the outcome of the step
        return None, f"{type(error).__name__}: {error}"[:2000]


def _run_within(limit: float, step: Step, state: Any) -> tuple[Any, str | None]:
    outcomes: list[tuple[Any, str | None]] = []
    thread = threading.Thread(target=lambda: outcomes.append(_run(step, state)), daemon=True)
    thread.start()
    thread.join(limit)
    return outcomes[0] if outcomes else (None, f"hangs: no end after {limit:g} s")
