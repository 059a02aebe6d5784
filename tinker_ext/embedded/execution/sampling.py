"""Batches of samples: requests that wait for the same weights are computed together."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.checkpoints.files import is_encrypted
from tinker_ext.embedded.errors import RejectedRequestError, UserFailureError
from tinker_ext.embedded.execution.completed import CompletedRequests
from tinker_ext.embedded.execution.provenance import SequenceRecords
from tinker_ext.embedded.execution.results import failure, run_and_encode
from tinker_ext.embedded.execution.sample_request import (
    decode_request,
    recorded_sequences,
    sample_response,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from tinker_ext.embedded.checkpoints.files import CheckpointFiles
    from tinker_ext.embedded.engine.jobs import Sampled, SampleJob
    from tinker_ext.embedded.execution.results import ResultStore
    from tinker_ext.embedded.execution.sample_request import SampleRequest, Weights

logger = logging.getLogger("tinker_ext.embedded")

# Queued sampling requests; beyond this limit submissions get a 429. A client of release 0.4.1 has
# at most 400 in flight (lib/internal_client_holder.py).
MAX_QUEUED = 10_000

# The Retry-After of a rejected submission.
RETRY_AFTER_SECONDS = 1

# Positions (prompt and new tokens of all samples) in one batch. The results of a batch are
# available together, so this limits the latency of its shortest sample.
MAX_BATCH_POSITIONS = 65_536

# The sequence numbers of each copy of a sampling client start at a multiple of this number (tinker
# 0.38.0, lib/public_interfaces/sampling_client.py).
CLONE = 1_000_000_000

# Adapters kept in memory after their last use.
KEPT_ADAPTERS = 16


class Sampler:
    """Collects sampling requests and runs them in batches on the sampling thread.

    A request id consists of the sampling session, the sequence number and the id of this start of
    the server. A repeated number gets the first request's id, and an id of an earlier start is
    recognized.
    """

    def __init__(self, *, files: CheckpointFiles, results: ResultStore, thread: Executor) -> None:
        self.start_id = uuid.uuid4().hex[:8]
        self._results = results
        self._thread = thread
        self._queue: deque[SampleRequest] = deque()
        self._running: dict[str, SampleRequest] = {}
        self._cancelled: set[SampleJob] = set()
        self._runner: asyncio.Task[None] | None = None
        self._adapters = _AdapterCache(files)
        self.completed = CompletedRequests()
        self.records = SequenceRecords()

    def submit(
        self,
        scope: str,
        seq_id: int | None,
        weights: Weights,
        body: Mapping[str, Any],
        *,
        session_id: str | None = None,
    ) -> str:
        """Queue a request and return its id, or the first request's id if the number is repeated.

        Its sequences are recorded for training in the session if the request asks for it.

        Raises:
            RejectedRequestError: the queue is full (429).
        """
        number = uuid.uuid4().hex if seq_id is None else str(seq_id)
        request_id = f"{scope}:{number}:{self.start_id}"
        if request_id in self._results:
            return request_id
        if len(self._queue) >= MAX_QUEUED:
            raise RejectedRequestError(
                429,
                f"the queue is full: {MAX_QUEUED} sampling requests are waiting",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self._results.open(request_id)
        decoded: list[SampleRequest] = []
        result = run_and_encode(
            lambda: decoded.append(decode_request(request_id, weights, body, session_id)), "asample"
        )
        if decoded:
            self._queue.append(decoded[0])
            self._wake()
        else:
            self._finish(request_id, result)
        return request_id

    def cancel(self, request_id: str) -> None:
        """Cancel a queued or running sample; does nothing if it has completed."""
        request = self._running.pop(request_id, None)
        if request is not None:
            if request.job is not None:
                # The sampling thread checks this set after each token.
                self._cancelled.add(request.job)
        else:
            request = next((item for item in self._queue if item.request_id == request_id), None)
            if request is None:
                return
            self._queue.remove(request)
        self._finish(request_id, failure("cancelled by its client", "user"))

    def stop(self) -> None:
        """Start no more batches."""
        self._queue.clear()

    async def stopped(self) -> None:
        """Wait until the running batch has completed."""
        if self._runner is not None:
            await asyncio.gather(self._runner, return_exceptions=True)

    def scope_of_earlier_start(self, request_id: str) -> str | None:
        """The scope of a request id of an earlier start of the server; None for any other id."""
        prefix, _, start_id = request_id.rpartition(":")
        scope, _, number = prefix.rpartition(":")
        return scope if scope and number and start_id != self.start_id else None

    def _finish(self, request_id: str, result: bytes) -> None:
        self._results.finish(request_id, result)
        scope, number, _ = request_id.rsplit(":", 2)
        if number.isdecimal():  # otherwise the request has no sampling session
            self.completed.add((scope, int(number) // CLONE), request_id, result)

    def _wake(self) -> None:
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="sampling")

    async def _run(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            while self._queue:
                batch = self._next_batch()
                self._running = {request.request_id: request for request in batch}
                results = await loop.run_in_executor(self._thread, self._sample, batch)
                for request, (result, sampled) in zip(batch, results, strict=True):
                    if self._running.pop(request.request_id, None) is not None:
                        for sequence_id, record in recorded_sequences(request, sampled):
                            self.records.add(sequence_id, record)
                        self._finish(request.request_id, result)
                self._cancelled.clear()
        finally:
            self._runner = None

    def _next_batch(self) -> list[SampleRequest]:
        """Remove the oldest request, and those with the same weights that fit in the batch."""
        weights = self._queue[0].weights
        batch: list[SampleRequest] = []
        remaining: deque[SampleRequest] = deque()
        positions = 0
        for request in self._queue:
            fits = not batch or positions + request.positions <= MAX_BATCH_POSITIONS
            if request.weights == weights and fits:
                positions += request.positions
                batch.append(request)
            else:
                remaining.append(request)
        self._queue = remaining
        return batch

    def _sample(self, batch: Sequence[SampleRequest]) -> list[tuple[bytes, Sequence[Sampled]]]:
        """Compute a batch, on the sampling thread.

        Returns the result of each request, in order, and its samples, which are empty on failure.
        """
        from tinker_ext.embedded.engine.generate import generate
        from tinker_ext.embedded.engine.model import load_base_model

        try:
            weights = batch[0].weights
            base, adapter = load_base_model(weights.base_model), self._adapters.get(weights)
            jobs = [request.job for request in batch if request.job]
            generated = iter(generate(base, adapter, jobs, self._cancelled))
            samples = [next(generated) if request.job else [] for request in batch]
        except UserFailureError as error:
            return [(failure(str(error), "user"), [])] * len(batch)
        except Exception as error:
            logger.exception("a batch of %d samples failed", len(batch))
            message = f"sampling failed in the server: {type(error).__name__}: {error}"
            return [(failure(message, "server"), [])] * len(batch)
        encoded = [
            run_and_encode(partial(sample_response, request, sampled, base, adapter), "asample")
            for request, sampled in zip(batch, samples, strict=True)
        ]
        return list(zip(encoded, samples, strict=True))


class _AdapterCache:
    """Adapters read from disk; evicts the least recently used. Not thread-safe."""

    def __init__(self, files: CheckpointFiles) -> None:
        self._files = files
        self._adapters: OrderedDict[Weights, Mapping[str, Any]] = OrderedDict()

    def get(self, weights: Weights) -> Mapping[str, Any] | None:
        """The arrays of the adapter, or None for the base model.

        Raises:
            UserFailureError: its files have been deleted.
        """
        if weights.folder is None:
            return None
        if weights not in self._adapters:
            try:
                adapter = self._files.read(weights.folder, optimizer=False).adapter
            except FileNotFoundError:
                reason = "are encrypted" if is_encrypted(weights.folder) else "have been deleted"
                raise UserFailureError(f"these weights {reason}") from None
            self._adapters[weights] = adapter
        self._adapters.move_to_end(weights)
        while len(self._adapters) > KEPT_ADAPTERS:
            self._adapters.popitem(last=False)
        return self._adapters[weights]
