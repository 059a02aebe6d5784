"""The client under test, and the helpers that every program shares.

DRIVER_PACKAGE names the client's package: `tinker`, the official SDK, or one with its names.
"""

from __future__ import annotations

import importlib
import math
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

# A program also calls methods that later releases deprecate.
warnings.simplefilter("ignore")

tinker = importlib.import_module(os.environ.get("DRIVER_PACKAGE", "tinker"))
types = importlib.import_module(f"{tinker.__name__}.types")

# Reported by a step whose methods the release under test does not have.
ABSENT = "absent"
# Seconds to wait for one result.
TIMEOUT = float(os.environ.get("DRIVER_STEP_SECONDS", "60"))


def resolve(value: Any) -> Any:
    """Return the result of a future. Some releases return the value directly."""
    return value.result(timeout=TIMEOUT) if hasattr(value, "result") else value


def make_datum(tokens: list[int], **inputs: Any) -> Any:
    """A datum that predicts each next token, with weight 1 unless `inputs` are given."""
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": np.array(tokens[1:]),
            **(inputs or {"weights": [1.0] * (len(tokens) - 1)}),
        },
    )


def mean_loss(output: Any) -> float:
    """The mean over all targets, whose weights are equal."""
    logprobs = np.concatenate([item["logprobs"].to_numpy() for item in output.loss_fn_outputs])
    return -float(np.mean(logprobs))


def as_floats(logprobs: Iterable[float | None]) -> list[float | None]:
    """Replace NaN, which some releases use for an unscored token, by None."""
    return [None if value is None or math.isnan(value) else float(value) for value in logprobs]


def negative_logprob(data: Any, logprobs: Any) -> Any:
    """A custom loss, with a metric of its own."""
    loss = -(sum(values.sum() for values in logprobs))
    return loss, {"custom:sum": loss.item()}
