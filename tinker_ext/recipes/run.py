"""The training loop: evaluation, checkpoints, and recovery from lost sessions."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from attrs import frozen

import tinker_ext as tinker
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.errors import (
    APIConnectionError,
    APIStatusError,
    ConflictError,
    GoneError,
    InternalServerError,
    RequestErrorCategory,
    RequestFailedError,
    SessionLostError,
    TinkerError,
)
from tinker_ext.json_lines import as_floats
from tinker_ext.recipes.checkpoints import Best, Checkpoints, SavedState

log = logging.getLogger("tinker_ext.recipes")

#: One step: trains with the client as step number n, from 0, and returns its metrics.
Step: TypeAlias = Callable[[tinker.TrainingClient, int], Mapping[str, float]]
#: An evaluation after n steps; returns its metrics.
Evaluation: TypeAlias = Callable[[tinker.TrainingClient, int], Mapping[str, float]]

#: Errors after which the model on the server may be lost or in an unknown state.
LOST = (SessionLostError, APIConnectionError, GoneError, ConflictError, InternalServerError)
#: Seconds before the first recovery and the longest wait. Requests have been retried before.
WAIT, LONGEST_WAIT = 1.0, 60.0


@frozen
class Recovery:
    """A failure from which `Run.train` recovers.

    Attributes:
        error: the error of the step.
        step: the number of the step that failed.
        attempt: 1 for the first recovery, counted since the last step that was new.
        state: the saved state from which the run continues; None for a new model.
    """

    error: TinkerError
    step: int
    attempt: int
    state: SavedState | None


class Run:
    """A training run that continues from its latest saved state after any interruption.

    On entry, the run opens the latest state in the record of `folder`, with its optimizer; without
    a state it creates a new model; if the server has none of the recorded states, it raises the
    error of the latest one. `training` and `service` are its clients; a recovery replaces them.

    Args:
        connect: creates a `ServiceClient`; called again after a lost session.
        base_model: the name of the base model.
        folder: has the record of the saved states, ``checkpoints.jsonl``.
        rank: the rank of the LoRA adapter of a new model.
        seed: the seed of the initial weights of a new model.
        keep_last, keep_best, best: which saved states remain on the server (`Checkpoints`).
        attempts: recoveries in a row, without a step that was new, before the error is raised.
        on_recovery: called before each recovery.
        sleep: waits between recoveries; tests replace it.

    Example:
        >>> with Run(connect, "embedded/tiny", folder="runs/a", rank=8) as run:
        ...     run.train(step, steps=200, checkpoint_every=20)
        ...     sampler = run.training.save_weights_and_get_sampling_client()
    """

    service: tinker.ServiceClient
    training: tinker.TrainingClient

    def __init__(
        self,
        connect: Callable[[], tinker.ServiceClient],
        base_model: str,
        *,
        folder: str | os.PathLike[str],
        rank: int = 32,
        seed: int | None = None,
        keep_last: int | None = 3,
        keep_best: str | None = None,
        best: Best = "min",
        attempts: int = 5,
        on_recovery: Callable[[Recovery], object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._connect = connect
        self._model = (base_model, rank, seed)
        self._folder = Path(folder)
        self._open_checkpoints = partial(
            Checkpoints,
            self._folder,
            {"base_model": base_model, "rank": rank},
            keep_last=keep_last,
            keep_best=keep_best,
            best=best,
        )
        self._attempts = attempts
        self._on_recovery = on_recovery
        self._sleep = sleep
        self.step = 0

    def __enter__(self) -> Self:
        self.checkpoints = self._open_checkpoints()
        try:
            self.service = self._connect()
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close(error)

    def _close(self, error: BaseException | None = None) -> None:
        self.checkpoints.close()
        if hasattr(self, "service"):
            self.service.__exit__(None if error is None else type(error), error, None)

    def _open(self) -> None:
        """Open the latest state that the server still has; create a model if there is no state."""
        base_model, rank, seed = self._model
        missing: list[tuple[SavedState, TinkerError]] = []
        for state in reversed(self.checkpoints.states):
            try:
                self.training = self.service.create_training_client_from_state_with_optimizer(
                    state.path, base_model
                )
            except LOST:
                raise
            except TinkerError as error:
                log.warning("the checkpoint %s can't be opened: %s", state.path, error)
                missing.append((state, error))
                continue
            for lost, _ in missing:
                self.checkpoints.forget(lost)
            self.step = state.step
            return
        if missing:
            latest = missing[0][1]
            file = self._folder / "checkpoints.jsonl"
            advice = (
                f"None of the saved states in {file} can be opened. If the server no longer has "
                "them, delete this file or use another folder to start again from step 0."
            )
            latest.hint = f"{latest.hint} {advice}".strip()
            raise latest
        self.training = self.service.create_lora_training_client(base_model, rank, seed)
        self.step = 0

    def train(
        self,
        step: Step,
        *,
        steps: int,
        checkpoint_every: int = 100,
        evaluate: Evaluation | None = None,
        evaluate_every: int | None = None,
        on_metrics: Callable[[int, Mapping[str, float]], object] | None = None,
    ) -> SavedState:
        """Train until `steps` steps are complete, including those of earlier runs.

        Args:
            step: called with the training client and the number of the step.
            steps: the total number of steps.
            checkpoint_every: steps between two saved states. The last step is always saved.
            evaluate: called after every `evaluate_every` steps, and after the last one.
            evaluate_every: by default `checkpoint_every`.
            on_metrics: called after each step with the number of completed steps and the metrics of
                the step and of the evaluation. After a recovery, steps since the saved state are
                repeated and reported again.

        Returns:
            The last saved state.

        Raises:
            InvalidInputError: an argument is not an integer >= 1, or `step` or `evaluate` returned
                a metric that is not a number.
            TinkerError: the run can't recover: the error is the user's, or `attempts` recoveries
                have not led to a new step.
            Exception: what `step`, `evaluate` or a callback raises.
        """
        evaluate_every = evaluate_every or checkpoint_every
        check_int(steps, 1, "steps")
        check_int(checkpoint_every, 1, "checkpoint_every")
        check_int(evaluate_every, 1, "evaluate_every")
        furthest, attempt = self.step, 0
        while True:
            latest = self.checkpoints.latest
            if self.step >= steps and latest is not None and latest.step >= self.step:
                return latest
            try:
                with tinker.step(self.step):
                    metrics = as_floats(step(self.training, self.step))
                done = self.step + 1
                if evaluate is not None and (done % evaluate_every == 0 or done >= steps):
                    metrics |= as_floats(evaluate(self.training, done))
                if done % checkpoint_every == 0 or done >= steps:
                    self.checkpoints.save(self.training, done, metrics)
                    self.checkpoints.delete_expired(self.service)
            except TinkerError as error:
                attempt = self._recover(error, attempt + 1)
                continue
            self.step = done
            if done > furthest:
                furthest, attempt = done, 0
            if on_metrics is not None:
                on_metrics(done, metrics)

    def _recover(self, error: TinkerError, attempt: int) -> int:
        """Open the run again from its latest state, in a new session; returns the attempts made.

        Raises:
            TinkerError: `error`, if a new session does not help or was tried too often.
        """
        while True:
            if attempt > self._attempts or not self._is_lost(error):
                raise error
            state = self.checkpoints.latest
            log.warning("step %d failed, opening the run again: %s", self.step, error)
            if self._on_recovery is not None:
                self._on_recovery(Recovery(error, self.step, attempt, state))
            self._sleep(min(WAIT * 2 ** (attempt - 1), LONGEST_WAIT))
            try:
                # Before the old client is closed, which would stop its embedded backend.
                service = self._connect()
                self.service.close("errored", type(error).__name__, timeout=0.0)
                self.service = service
                self._open()
            except TinkerError as failure:
                error, attempt = failure, attempt + 1
            else:
                return attempt

    def _is_lost(self, error: TinkerError) -> bool:
        """Whether a model that is opened again may succeed where this one failed."""
        if isinstance(error, LOST):
            return True
        if isinstance(error, RequestFailedError):
            return error.category != RequestErrorCategory.USER or self._is_corrupted()
        return isinstance(error, APIStatusError) and self._is_corrupted()

    def _is_corrupted(self) -> bool:
        """Whether the server reports that the run is corrupted."""
        rest = self.service.create_rest_client()
        try:
            return rest.get_training_run(self.training.model_id).result().corrupted
        except TinkerError:
            return False
