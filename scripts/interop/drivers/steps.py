"""What every driver has: steps that are run in order, each reported as one line of JSON."""

from __future__ import annotations

import json
import sys
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

    def run(self, state: Any) -> None:
        """Run all steps. One that fails does not keep the next ones from being tried."""
        for function in self._functions:
            began = time.perf_counter()
            value, error = None, None
            try:
                value = function(state)
            except Exception as problem:  # whatever it is, it is the step's outcome
                error = f"{type(problem).__name__}: {problem}"[:2000]
            seconds = round(time.perf_counter() - began, 4)
            line = {"name": function.__name__, "value": value, "error": error, "seconds": seconds}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
