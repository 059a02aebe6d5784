"""Samples: whatever waits for the same weights is computed together."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.execution.answers import UserFailureError, attempt, failure
from tinker_ext.embedded.execution.completions import Completions
from tinker_ext.embedded.execution.samples import answered, prepared
from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from tinker_ext.embedded.checkpoints.files import CheckpointFiles
    from tinker_ext.embedded.engine.jobs import SampleJob
    from tinker_ext.embedded.execution.results import ResultStore
    from tinker_ext.embedded.execution.samples import SampleWork, Weights

logger = logging.getLogger("tinker_ext.embedded")

# Sampling requests that may wait; beyond it they are told to come back. A client of release 0.4.1
# has 400 on the way at most (lib/internal_client_holder.py).
MAX_QUEUED = 10_000

# Seconds after which a refused submission should try again.
RETRY_AFTER_SECONDS = 1

# Positions (prompt and new tokens, of all samples) computed before answers go out. Answers of one
# batch come together, so this bounds what the shortest of them waits for.
MAX_BATCH_POSITIONS = 65_536

# Numbers of each copy of a sampling client begin at a multiple of this (tinker 0.38.0,
# lib/public_interfaces/sampling_client.py).
CLONE = 1_000_000_000

# Adapters kept in memory after their last use.
KEPT_ADAPTERS = 16


class Sampler:
    """Collects sampling requests and runs them in batches on the sampling thread.

    A request's id is made from its sampling session, its number and this start of the server, so
    that a repeated number finds the first one, and an id of an earlier start is recognized.
    """

    def __init__(self, *, files: CheckpointFiles, results: ResultStore, thread: Executor) -> None:
        self.start_id = uuid.uuid4().hex[:8]
        self._results = results
        self._thread = thread
        self._queue: deque[SampleWork] = deque()
        self._at_work: dict[str, SampleWork] = {}
        self._given_up: set[SampleJob] = set()
        self._runner: asyncio.Task[None] | None = None
        self._adapters = _Adapters(files)
        self.completions = Completions()

    def submit(
        self, scope: str, seq_id: int | None, weights: Weights, body: Mapping[str, Any]
    ) -> str:
        """Queue a sample; a number used before is answered by the request that used it.

        Raises:
            RefusalError: too much is waiting (429).
        """
        number = uuid.uuid4().hex if seq_id is None else str(seq_id)
        request_id = f"{scope}:{number}:{self.start_id}"
        if request_id in self._results:
            return request_id
        if len(self._queue) >= MAX_QUEUED:
            raise RejectedRequestError(
                429,
                f"{MAX_QUEUED} sampling requests are waiting",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self._results.open(request_id)
        work: list[SampleWork] = []
        problem = attempt(lambda: work.append(prepared(request_id, weights, body)), "asample")
        if work:
            self._queue.append(work[0])
            self._wake()
        else:
            self._finish(request_id, problem)
        return request_id

    def cancel(self, request_id: str) -> None:
        """Give up a sample that waits or is at work; one that is done stays as it is."""
        work = self._at_work.pop(request_id, None)
        if work is not None:
            if work.job is not None:
                self._given_up.add(work.job)  # The sampling thread looks after each token.
        else:
            work = next((one for one in self._queue if one.request_id == request_id), None)
            if work is None:
                return
            self._queue.remove(work)
        self._finish(request_id, failure("cancelled by its client", "user"))

    def stop(self) -> None:
        """Begin nothing more."""
        self._queue.clear()

    async def stopped(self) -> None:
        """Return when the batch that was being computed has ended."""
        if self._runner is not None:
            await asyncio.gather(self._runner, return_exceptions=True)

    def of_earlier_start(self, request_id: str) -> str | None:
        """The scope of a request made before the server was restarted, if it looks like one."""
        scope, _, rest = request_id.rpartition(":")
        scope, _, number = scope.rpartition(":")
        return scope if scope and number and rest != self.start_id else None

    def _finish(self, request_id: str, answer: bytes) -> None:
        self._results.finish(request_id, answer)
        scope, number, _ = request_id.rsplit(":", 2)
        if number.isdecimal():  # the others belong to no sampling session
            self.completions.add((scope, int(number) // CLONE), request_id, answer)

    def _wake(self) -> None:
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="sampling")

    async def _run(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            while self._queue:
                batch = self._next_batch()
                self._at_work = {work.request_id: work for work in batch}
                answers = await loop.run_in_executor(self._thread, self._sample, batch)
                for work, answer in zip(batch, answers, strict=True):
                    if self._at_work.pop(work.request_id, None) is not None:
                        self._finish(work.request_id, answer)
                self._given_up.clear()
        finally:
            self._runner = None

    def _next_batch(self) -> list[SampleWork]:
        """The oldest, and all behind it that sample the same weights, as far as they fit."""
        weights = self._queue[0].weights
        batch: list[SampleWork] = []
        left: deque[SampleWork] = deque()
        positions = 0
        for work in self._queue:
            fits = not batch or positions + work.positions <= MAX_BATCH_POSITIONS
            if work.weights == weights and fits:
                positions += work.positions
                batch.append(work)
            else:
                left.append(work)
        self._queue = left
        return batch

    def _sample(self, batch: Sequence[SampleWork]) -> list[bytes]:
        """On the sampling thread: one answer for each, in order."""
        from tinker_ext.embedded.engine.generate import generate
        from tinker_ext.embedded.engine.model import load_base_model

        try:
            weights = batch[0].weights
            base, adapter = load_base_model(weights.base_model), self._adapters.get(weights)
            jobs = [work.job for work in batch if work.job]
            drawn = iter(generate(base, adapter, jobs, self._given_up))
            samples = [next(drawn) if work.job else [] for work in batch]
        except UserFailureError as error:
            return [failure(str(error), "user")] * len(batch)
        except Exception as error:
            logger.exception("a batch of %d samples failed", len(batch))
            message = f"sampling failed in the server: {type(error).__name__}: {error}"
            return [failure(message, "server")] * len(batch)
        return [
            attempt(partial(answered, work, sampled, base, adapter), "asample")
            for work, sampled in zip(batch, samples, strict=True)
        ]


class _Adapters:
    """Adapters read from disk, the least recently used forgotten first. For one thread."""

    def __init__(self, files: CheckpointFiles) -> None:
        self._files = files
        self._kept: OrderedDict[Weights, Mapping[str, Any]] = OrderedDict()

    def get(self, weights: Weights) -> Mapping[str, Any] | None:
        """The adapter's arrays, or None for the base model itself.

        Raises:
            UserFailureError: its files are gone.
        """
        if weights.place is None:
            return None
        if weights not in self._kept:
            try:
                self._kept[weights] = self._files.read(weights.place, optimizer=False).adapter
            except FileNotFoundError:
                raise UserFailureError("these weights have been deleted") from None
        self._kept.move_to_end(weights)
        while len(self._kept) > KEPT_ADAPTERS:
            self._kept.popitem(last=False)
        return self._kept[weights]
