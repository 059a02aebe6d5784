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
        outcome = _Outcome(step, state)
        if limit is None:
            outcome.run()
        else:
            thread = threading.Thread(target=outcome.run, daemon=True)
            thread.start()
            thread.join(limit)
            if thread.is_alive():
                outcome = _Outcome(step, state)
                outcome.error = f"hangs: no end after {limit:g} s"
        line = {
            "name": step.__name__,
            "value": outcome.value,
            "error": outcome.error,
            "seconds": round(time.perf_counter() - started, 4),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class _Outcome:
    def __init__(self, step: Step, state: Any) -> None:
        self._step = step
        self._state = state
        self.value: Any = None
        self.error: str | None = None

    def run(self) -> None:
        try:
            self.value = self._step(self._state)
        except Exception as error:  # any error is the outcome of the step
            self.error = f"{type(error).__name__}: {error}"[:2000]
