"""What every driver has: steps that are run in order, each reported as one line of JSON."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    StepFunction = Callable[[Any], Any]


class Steps:
    """The steps of a driver. Each is a function of one object, on which it leaves what it made."""

    def __init__(self) -> None:
        self._functions: list[StepFunction] = []

    def __call__(self, function: StepFunction) -> StepFunction:
        """Decorator: the function is a step, named as it is."""
        self._functions.append(function)
        return function

    def run(self, state: Any, limit: float | None = None) -> None:
        """Run all steps, each for `limit` seconds at most.

        One that fails, or is left behind for taking too long, does not keep the next ones from
        being tried.
        """
        for function in self._functions:
            began = time.perf_counter()
            outcome = _Outcome(function, state)
            if limit is None:
                outcome.run()
            else:
                thread = threading.Thread(target=outcome.run, daemon=True)
                thread.start()
                thread.join(limit)
                if thread.is_alive():
                    outcome = _Outcome(function, state)
                    outcome.error = f"hangs: no end after {limit:g} s"
            line = {
                "name": function.__name__,
                "value": outcome.value,
                "error": outcome.error,
                "seconds": round(time.perf_counter() - began, 4),
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


class _Outcome:
    def __init__(self, function: StepFunction, state: Any) -> None:
        self._function = function
        self._state = state
        self.value: Any = None
        self.error: str | None = None

    def run(self) -> None:
        try:
            self.value = self._function(self._state)
        except Exception as problem:  # whatever it is, it is the step's outcome
            self.error = f"{type(problem).__name__}: {problem}"[:2000]
