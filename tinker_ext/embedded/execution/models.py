"""Models in memory: each does its own work in order, all share one training thread."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import uuid
from typing import TYPE_CHECKING

from tinker_ext.embedded.execution.answers import UserFailureError, attempt, failure
from tinker_ext.embedded.execution.model import Model, Work
from tinker_ext.embedded.execution.turns import SequenceQueue, TooLateError
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.store.requests import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from tinker_ext.embedded.execution.results import ResultStore
    from tinker_ext.embedded.store import CheckpointTable, RequestTable, RunTable

logger = logging.getLogger("tinker_ext.embedded")

# How long work waits for a number before it that has not come. Longer than one repeated
# submission takes (60 s request timeout in tinker 0.4.1, _constants.py), so that a late one is not
# overtaken; after that the waiting work fails, because doing it would skip what came before it.
MISSING_SEQ_TIMEOUT = 90.0

# Work of one model that may be queued, and the bytes of all models' queued bodies; beyond either,
# submissions are told to come back. What is missing in front of the queue is always taken.
MAX_QUEUED = 1000
MAX_QUEUED_BYTES = 512 * 1024 * 1024

# Seconds after which a refused submission should try again.
RETRY_AFTER_SECONDS = 1

# Models kept in memory. The one used least recently makes room for a new one.
MAX_LOADED = 64

# The number under which a model's creation is remembered; requests on it start at 1.
CREATION = 0


class ModelScheduler:
    """Takes work on models and does it. Every method is for the event loop's thread."""

    def __init__(
        self,
        *,
        runs: RunTable,
        requests: RequestTable,
        checkpoints: CheckpointTable,
        results: ResultStore,
        thread: Executor,
        gap_seconds: float = MISSING_SEQ_TIMEOUT,
        max_loaded: int = MAX_LOADED,
    ) -> None:
        self._runs = runs
        self._requests = requests
        self._checkpoints = checkpoints
        self._results = results
        self._thread = thread
        self._gap_seconds = gap_seconds
        self._max_loaded = max_loaded
        self._models: dict[str, Model] = {}
        self._queued_bytes = 0
        self._stopping = False

    def find(self, run_id: str) -> Model | None:
        """The model of that id; one of an earlier start of the server has no trainer."""
        if run_id not in self._models and self._runs.get(run_id) is not None:
            reason = "was only in memory, and the server has been restarted since"
            self._models[run_id] = Model(run_id, SequenceQueue(None), unusable=reason)
        return self._models.get(run_id)

    def create(
        self, run_id: str, act: Callable[[Model], object], kind: str = "create_model"
    ) -> str:
        """Create a model, or find the request that did; returns the request's id."""
        earlier = self._requests.numbered(run_id, CREATION)
        if earlier is not None:
            return earlier.request_id
        if self.find(run_id) is None:
            self._make_room()
            self._models[run_id] = Model(run_id, SequenceQueue(CREATION))
        return self.submit(run_id, kind, CREATION, act)

    def submit(
        self,
        run_id: str,
        kind: str,
        seq_id: int | None,
        act: Callable[[Model], object],
        *,
        size: int = 0,
    ) -> str:
        """Queue work; a number that was used before is answered by the request that used it.

        `size` is what the work keeps in memory until it is done, in bytes.

        Raises:
            RefusalError: no such model (404), the number belongs to another kind of request
                (400), or too much is waiting (429).
        """
        model = self.find(run_id)
        if model is None:
            raise RejectedRequestError(404, f"there is no model {run_id!r} here")
        earlier = None if seq_id is None else self._requests.numbered(run_id, seq_id)
        if earlier is not None:
            if earlier.kind != kind:
                raise RejectedRequestError(
                    400, f"seq_id {seq_id} was used for a {earlier.kind} request"
                )
            return earlier.request_id
        full = len(model.turns) >= MAX_QUEUED or self._queued_bytes > MAX_QUEUED_BYTES
        if full and (seq_id is None or seq_id != model.turns.missing):
            raise RejectedRequestError(
                429,
                f"{len(model.turns)} requests of model {run_id!r} are waiting, "
                f"and {self._queued_bytes} bytes of all models",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        tail = uuid.uuid4().hex if seq_id is None else str(seq_id)
        work = Work(f"{run_id}:{tail}", kind, seq_id, size, act)
        self._accept(model, work)
        return work.request_id

    def refuse(self, run_id: str, seq_id: int) -> None:
        """A request with this number was malformed: what follows need not wait for it."""
        model = self._models.get(run_id)
        if model is not None:
            model.turns.refuse(seq_id)
            self._wake(model)

    def waiting_for(self, request_id: str) -> str | None:
        """Why a request is not being worked on, when a missing number holds it up."""
        record = self._requests.get(request_id)
        model = None if record is None else self._models.get(record.run_id)
        if model is None or model.turns.missing is None or record is None:
            return None
        missing = model.turns.missing
        if record.seq_id is None or record.seq_id < missing:
            return None
        return f"waiting for seq_id {missing}"

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        for model in self._models.values():
            model.arrival.set()

    async def stopped(self) -> None:
        """Return when what was being computed has ended and is recorded."""
        runners = [model.runner for model in self._models.values() if model.runner is not None]
        await asyncio.gather(*runners, return_exceptions=True)

    def _accept(self, model: Model, work: Work) -> None:
        model.last_used = time.time()
        record = RequestRecord(
            work.request_id, model.run_id, work.seq_id, work.kind, model.last_used
        )
        try:
            self._requests.add(record)
        except sqlite3.Error:  # a full disk, say: the number may be used again
            if work.seq_id is not None:
                self.refuse(model.run_id, work.seq_id)
            raise
        self._results.open(work.request_id)
        self._queued_bytes += work.size
        try:
            model.turns.offer(work.seq_id, work, now=time.monotonic())
        except TooLateError as error:
            self._finish(work, failure(f"seq_id {work.seq_id} came too late: {error}", "user"))
        else:
            self._wake(model)

    def _wake(self, model: Model) -> None:
        model.arrival.set()
        if model.runner is None and len(model.turns):
            model.runner = asyncio.create_task(self._run(model), name=f"work of {model.run_id}")

    async def _run(self, model: Model) -> None:
        """Do what is ready, wait for what is missing, end when there is nothing."""
        try:
            while len(model.turns) and not self._stopping:
                work = model.turns.take()
                if work is not None:
                    await self._do(model, work)
                else:
                    await self._wait_for_missing(model)
        finally:
            model.runner = None

    async def _do(self, model: Model, work: Work) -> None:
        def act() -> object:
            return work.act(model)

        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._thread, attempt, act, work.kind)
        self._finish(work, answer)

    async def _wait_for_missing(self, model: Model) -> None:
        model.arrival.clear()
        left = model.turns.waiting_since + self._gap_seconds - time.monotonic()
        try:
            await asyncio.wait_for(model.arrival.wait(), max(left, 0.0))
        except TimeoutError:
            missing = model.turns.missing
            for work in model.turns.give_up():
                message = (
                    f"not done: seq_id {missing}, which comes before {work.seq_id}, "
                    f"did not arrive within {self._gap_seconds:g} s"
                )
                self._finish(work, failure(message, "user"))

    def _finish(self, work: Work, answer: bytes) -> None:
        self._queued_bytes -= work.size
        try:
            self._requests.answer(work.request_id, answer)
        except sqlite3.Error as error:
            # On a full disk, say. It is still good for as long as this process runs.
            logger.warning("the result of %s could not be kept: %s", work.request_id, error)
        self._results.finish(work.request_id, answer)

    def _make_room(self) -> None:
        """Drop the weights of the idle model that was used least recently."""
        loaded = [model for model in self._models.values() if model.trainer is not None]
        if len(loaded) < self._max_loaded:
            return
        idle = [model for model in loaded if model.runner is None]
        if idle:
            oldest = min(idle, key=lambda model: model.last_used)
            oldest.trainer = None
            oldest.unusable = f"made room for newer ones ({self._max_loaded} are kept in memory)"
            logger.info("model %s made room for a newer one", oldest.run_id)

    def missing_trainer(self, model: Model) -> UserFailureError:
        """What to tell someone whose model has no weights any more."""
        saved = [r for r in self._checkpoints.of_run(model.run_id) if r.name.kind == "weights"]
        advice = (
            f"create a model and load its last checkpoint, {saved[0].name.path}"
            if saved
            else "no checkpoint of it was saved, so training has to start anew"
        )
        return UserFailureError(f"model {model.run_id} {model.unusable}: {advice}")
