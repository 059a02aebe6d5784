"""Models in memory: each runs its requests in order, and all share one training thread."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from tinker_ext.embedded.errors import RejectedRequestError, UserFailureError
from tinker_ext.embedded.execution.results import failure, run_and_encode
from tinker_ext.embedded.execution.sequence_queue import SequenceQueue, TooLateError
from tinker_ext.embedded.store import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from tinker_ext.embedded.execution.results import ResultStore
    from tinker_ext.embedded.store import CheckpointTable, RequestTable, RunTable

logger = logging.getLogger("tinker_ext.embedded")

# Seconds for which requests wait for a missing sequence number. Longer than one retry takes (60 s
# request timeout in tinker 0.4.1, _constants.py), so that a late request is not overtaken. Then the
# waiting requests fail, because running them would skip their predecessor.
MISSING_SEQ_TIMEOUT = 90.0

# Queued requests per model, and the size of the queued bodies of all models. Beyond either limit
# submissions get a 429, except the one that the queue is waiting for.
MAX_QUEUED = 1000
MAX_QUEUED_BYTES = 512 * 1024 * 1024

# The Retry-After of a rejected submission.
RETRY_AFTER_SECONDS = 1

# Models in memory. A new model evicts the least recently used one.
MAX_LOADED = 64

# The sequence number of a model's creation; its other requests start at 1.
CREATION = 0


@define(eq=False)
class Model:
    """One model: its trainer while it is loaded, and its queue of requests.

    `trainer` is used on the training thread only. `unusable` is the reason why it is None.
    """

    run_id: str
    queue: SequenceQueue[Work]
    trainer: Any = None
    unusable: str = ""
    last_used: float = 0.0
    runner: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(factory=asyncio.Event)


@frozen(eq=False)
class Work:
    """One request on a model. `size` is its memory until it has completed, in bytes."""

    request_id: str
    kind: str
    seq_id: int | None
    size: int
    operation: Callable[[Model], object]


class ModelScheduler:
    """Queues requests on models and runs them. All methods are for the event loop's thread."""

    def __init__(
        self,
        *,
        runs: RunTable,
        requests: RequestTable,
        checkpoints: CheckpointTable,
        results: ResultStore,
        thread: Executor,
        missing_seq_timeout: float = MISSING_SEQ_TIMEOUT,
        max_loaded: int = MAX_LOADED,
    ) -> None:
        self._runs = runs
        self._requests = requests
        self._checkpoints = checkpoints
        self._results = results
        self._thread = thread
        self._seq_timeout = missing_seq_timeout
        self._max_loaded = max_loaded
        self._models: dict[str, Model] = {}
        self._queued_bytes = 0
        self._stopping = False

    def find(self, run_id: str) -> Model | None:
        """The model with this id; a model of an earlier start of the server has no trainer."""
        if run_id not in self._models and self._runs.get(run_id) is not None:
            reason = "was only in memory, and the server has been restarted since"
            self._models[run_id] = Model(run_id, SequenceQueue(None), unusable=reason)
        return self._models.get(run_id)

    def create(
        self, run_id: str, operation: Callable[[Model], object], kind: str = "create_model"
    ) -> str:
        """Create a model, unless a request has done so already; returns the request's id."""
        earlier = self._requests.with_seq_id(run_id, CREATION)
        if earlier is not None:
            return earlier.request_id
        if self.find(run_id) is None:
            self._evict_idle()
            self._models[run_id] = Model(run_id, SequenceQueue(CREATION))
        return self.submit(run_id, kind, CREATION, operation)

    def submit(
        self,
        run_id: str,
        kind: str,
        seq_id: int | None,
        operation: Callable[[Model], object],
        *,
        size: int = 0,
    ) -> str:
        """Queue a request and return its id.

        If the sequence number was used before, returns the id of the first request with it. `size`
        is the memory of the request until it has completed, in bytes.

        Raises:
            RejectedRequestError: the model does not exist (404), the number was used by another
                kind of request (400), or the queue is full (429).
        """
        model = self.find(run_id)
        if model is None:
            raise RejectedRequestError(404, f"there is no model {run_id!r} on this server")
        earlier = None if seq_id is None else self._requests.with_seq_id(run_id, seq_id)
        if earlier is not None:
            if earlier.kind != kind:
                raise RejectedRequestError(
                    400, f"seq_id {seq_id} was used for a {earlier.kind} request"
                )
            return earlier.request_id
        full = len(model.queue) >= MAX_QUEUED or self._queued_bytes > MAX_QUEUED_BYTES
        if full and (seq_id is None or seq_id != model.queue.missing):
            raise RejectedRequestError(
                429,
                f"the queue is full: {len(model.queue)} requests of model {run_id!r} are waiting, "
                f"and {self._queued_bytes} bytes of all models",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        suffix = uuid.uuid4().hex if seq_id is None else str(seq_id)
        work = Work(f"{run_id}:{suffix}", kind, seq_id, size, operation)
        self._accept(model, work)
        return work.request_id

    def skip_seq_id(self, run_id: str, seq_id: int) -> None:
        """Let later requests proceed, because the request with this number was malformed."""
        model = self._models.get(run_id)
        if model is not None:
            model.queue.skip(seq_id)
            self._wake(model)

    def waiting_for(self, request_id: str) -> str | None:
        """Which missing sequence number a request is waiting for, or None."""
        record = self._requests.get(request_id)
        model = None if record is None else self._models.get(record.run_id)
        if model is None or model.queue.missing is None or record is None:
            return None
        missing = model.queue.missing
        if record.seq_id is None or record.seq_id < missing:
            return None
        return f"waiting for seq_id {missing}"

    def stop(self) -> None:
        """Start no more requests."""
        self._stopping = True
        for model in self._models.values():
            model.changed.set()

    async def stopped(self) -> None:
        """Wait until the running requests have completed and are recorded."""
        runners = [model.runner for model in self._models.values() if model.runner is not None]
        await asyncio.gather(*runners, return_exceptions=True)

    def _accept(self, model: Model, work: Work) -> None:
        model.last_used = time.time()
        record = RequestRecord(
            work.request_id, model.run_id, work.seq_id, work.kind, model.last_used
        )
        try:
            self._requests.add(record)
        except sqlite3.Error:  # for example a full disk: the number can be used again
            if work.seq_id is not None:
                self.skip_seq_id(model.run_id, work.seq_id)
            raise
        self._results.open(work.request_id)
        self._queued_bytes += work.size
        try:
            model.queue.add(work.seq_id, work, now=time.monotonic())
        except TooLateError as error:
            self._finish(work, failure(f"seq_id {work.seq_id} came too late: {error}", "user"))
        else:
            self._wake(model)

    def _wake(self, model: Model) -> None:
        model.changed.set()
        if model.runner is None and len(model.queue):
            model.runner = asyncio.create_task(self._run(model), name=f"requests of {model.run_id}")

    async def _run(self, model: Model) -> None:
        """Run ready requests and wait for missing ones, until the queue is empty."""
        try:
            while len(model.queue) and not self._stopping:
                work = model.queue.take()
                if work is not None:
                    await self._run_one(model, work)
                else:
                    await self._wait_for_missing(model)
        finally:
            model.runner = None

    async def _run_one(self, model: Model, work: Work) -> None:
        operation = partial(work.operation, model)
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._thread, run_and_encode, operation, work.kind)
        self._finish(work, result)

    async def _wait_for_missing(self, model: Model) -> None:
        model.changed.clear()
        remaining = model.queue.waiting_since + self._seq_timeout - time.monotonic()
        try:
            await asyncio.wait_for(model.changed.wait(), max(remaining, 0.0))
        except TimeoutError:
            missing = model.queue.missing
            for work in model.queue.give_up():
                message = (
                    f"not run: seq_id {missing}, which comes before {work.seq_id}, "
                    f"did not arrive within {self._seq_timeout:g} s"
                )
                self._finish(work, failure(message, "user"))

    def _finish(self, work: Work, result: bytes) -> None:
        self._queued_bytes -= work.size
        try:
            self._requests.set_result(work.request_id, result)
        except sqlite3.Error as error:
            # For example a full disk. The result is still available until the server stops.
            logger.warning("the result of %s could not be stored: %s", work.request_id, error)
        self._results.finish(work.request_id, result)

    def _evict_idle(self) -> None:
        """If too many models are loaded, unload the least recently used idle one."""
        loaded = [model for model in self._models.values() if model.trainer is not None]
        if len(loaded) < self._max_loaded:
            return
        idle = [model for model in loaded if model.runner is None]
        if idle:
            oldest = min(idle, key=lambda model: model.last_used)
            oldest.trainer = None
            oldest.unusable = (
                f"was unloaded for a newer one ({self._max_loaded} are kept in memory)"
            )
            logger.info("unloaded model %s for a newer one", oldest.run_id)

    def missing_trainer(self, model: Model) -> UserFailureError:
        """The error for a request on a model whose weights are not loaded."""
        checkpoints = self._checkpoints.of_run(model.run_id)
        saved = [record for record in checkpoints if record.name.kind == "weights"]
        advice = (
            f"create a model and load its last checkpoint, {saved[0].name.path}"
            if saved
            else "it has no saved checkpoint, so training has to start again"
        )
        return UserFailureError(f"model {model.run_id} {model.unusable}: {advice}")
