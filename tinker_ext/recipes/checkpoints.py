"""A record of a run's saved states, and the rule for which of them are kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

import tinker_ext as tinker
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.errors import InvalidInputError, NotFoundError, TinkerError
from tinker_ext.json_lines import JsonLines, as_floats

log = logging.getLogger("tinker_ext.recipes")

#: Whether the best value of a metric is its smallest or its largest.
Best: TypeAlias = Literal["min", "max"]


@frozen
class SavedState:
    """A saved state: weights and optimizer after `step` steps.

    Attributes:
        step: the number of completed steps.
        path: the path on the server.
        metrics: the latest metrics, including those of the evaluation.
        time: seconds since 1970.
    """

    step: int
    path: str
    metrics: Mapping[str, float] = field(factory=dict)
    time: float = 0.0


def expired(
    states: Sequence[SavedState], keep_last: int | None, keep_best: str | None, best: Best = "min"
) -> list[SavedState]:
    """The states to delete: all but the last `keep_last` and the best of the metric `keep_best`.

    States without the metric are never the best, nor are those in which it is NaN. The latest state
    is always kept. None as `keep_last` keeps all.

    >>> states = [SavedState(step, f"path-{step}", {"loss": step % 3}) for step in range(1, 6)]
    >>> [state.step for state in expired(states, keep_last=2, keep_best="loss")]
    [1, 2]
    """
    if keep_last is None:
        return []
    remaining = {state.path for state in states[-max(keep_last, 1) :]}
    winner = find_best(states, keep_best, best)
    if winner is not None:
        remaining.add(winner.path)
    return [state for state in states if state.path not in remaining]


def find_best(
    states: Sequence[SavedState], metric: str | None, best: Best = "min"
) -> SavedState | None:
    """The state with the best value of a metric, the earliest of several; None if none has it."""
    sign = 1 if best == "min" else -1
    values = [state.metrics.get(metric or "", math.nan) for state in states]
    measured = [(sign * value, at) for at, value in enumerate(values) if not math.isnan(value)]
    return states[min(measured)[1]] if measured else None


class Checkpoints:
    """The saved states of a run, recorded in ``checkpoints.jsonl`` of its folder.

    Only one process at a time can open a folder.

    Args:
        folder: created if it does not exist.
        run: what the states depend on, such as the base model; compared with that of the folder.
        keep_last: the number of latest states to keep on the server; None keeps all.
        keep_best: a metric; the state with its best value is kept, too.
        best: "min" or "max".

    Raises:
        InvalidInputError: the folder has the states of another run, or is in use.
    """

    def __init__(
        self,
        folder: Path,
        run: Mapping[str, Any],
        *,
        keep_last: int | None = 3,
        keep_best: str | None = None,
        best: Best = "min",
    ) -> None:
        if keep_last is not None:
            check_int(keep_last, 1, "keep_last")
        if best not in ("min", "max"):
            raise InvalidInputError(f"expected 'min' or 'max', got {best!r}", where="best")
        self._keep = (keep_last, keep_best, best)
        self._states: dict[str, SavedState] = {}
        self._file = JsonLines(folder / "checkpoints.jsonl", where="folder")
        try:
            self._read({"kind": "checkpoints", **run})
        except BaseException:
            self._file.close()
            raise

    def _read(self, run: Mapping[str, Any]) -> None:
        if self._file.is_empty:
            self._file.append(run)
        for number, (_, record) in enumerate(self._file.lines(), start=1):
            if number == 1:
                self._compare(record, run)
            elif "deleted" in record:
                self._states.pop(str(record["deleted"]), None)
            else:
                state = self._read_state(record, number)
                self._states[state.path] = state

    def _read_state(self, record: Mapping[str, Any], number: int) -> SavedState:
        """A saved state. Unknown fields, and metrics that are not numbers, are ignored."""
        step, path, seconds = record.get("step"), record.get("path"), record.get("time", 0.0)
        metrics = record.get("metrics", {})
        if not (
            isinstance(step, int)
            and isinstance(path, str)
            and isinstance(seconds, int | float)
            and isinstance(metrics, dict)
        ):
            raise self._file.error(f"line {number} is not a saved state; use another folder")
        numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        return SavedState(step, path, numbers, seconds)

    def _compare(self, stored: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        for name in run:
            if stored.get(name) != run[name]:
                raise self._file.error(
                    f"{name} is {run[name]!r} and was {stored.get(name)!r} in the run of this "
                    "folder; use another folder"
                )

    @property
    def states(self) -> list[SavedState]:
        """The states that were not deleted, ordered by step."""
        return sorted(self._states.values(), key=lambda state: (state.step, state.time))

    @property
    def latest(self) -> SavedState | None:
        """The state with the most steps."""
        return self.states[-1] if self._states else None

    @property
    def best(self) -> SavedState | None:
        """The state with the best value of `keep_best`."""
        return find_best(self.states, *self._keep[1:])

    def save(
        self, training: tinker.TrainingClient, step: int, metrics: Mapping[str, float]
    ) -> SavedState:
        """Save the state of `training` after `step` steps, and wait until the server has it.

        Raises:
            InvalidInputError: a metric is not a number; nothing was saved.
        """
        values = as_floats(metrics)
        path = training.save_state(f"step-{step:06d}").result().path
        state = SavedState(step, path, values, time.time())
        # Later than this line, a killed run resumes from this state.
        self._file.append({"step": step, "path": path, "metrics": values, "time": state.time})
        self._states[path] = state
        return state

    def forget(self, state: SavedState) -> None:
        """Record that the server does not have a state any more."""
        self._states.pop(state.path, None)
        self._file.append({"deleted": state.path})

    def delete_expired(self, service: tinker.ServiceClient) -> None:
        """Delete the states that are not to be kept. A failure is logged; the next call retries."""
        rest = service.create_rest_client()
        for state in expired(self.states, *self._keep):
            try:
                rest.delete_checkpoint_from_tinker_path(state.path).result()
            except NotFoundError:
                self.forget(state)
            except TinkerError as error:
                log.warning("the checkpoint %s was not deleted: %s", state.path, error)
            else:
                self.forget(state)

    def close(self) -> None:
        """Close the file, so that another process can open the folder."""
        self._file.close()
