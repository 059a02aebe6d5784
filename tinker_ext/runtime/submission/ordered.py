"""Submits a model's requests in the order of the calls, and awaits their results in parallel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from functools import partial
from typing import Any, TypeVar

from attrs import frozen
from opentelemetry.util.types import AttributeValue
from tinker_api import models

from tinker_ext import tracing
from tinker_ext.errors import (
    APIError,
    BadRequestError,
    ClientClosedError,
    InvalidInputError,
    RequestFailedError,
    TinkerError,
    UnprocessableEntityError,
)
from tinker_ext.protocol.error_responses import expected_seq_id
from tinker_ext.rules.datum_index import body_in_batch, text_in_batch
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.core import ClientCore, read_request_id, submit
from tinker_ext.runtime.submission.sequence import FIRST, SequenceNumbers, TurnQueue
from tinker_ext.transport import operations
from tinker_ext.transport.operations import Request
from tinker_ext.transport.response import FetchedResult
from tinker_ext.usage import UsageCounter

T = TypeVar("T")
Attributes = Mapping[str, AttributeValue]


@frozen
class ChunkRequest:
    """One request of an operation.

    Attributes:
        request: the request; its sequence number is set when it is sent.
        datums: the indices of its datums in the operation's batch.
        usage: the attribute of `Usage` that counts the request, if any, and by how much.
    """

    request: Request[models.UntypedAPIFuture]
    datums: range = range(0)
    usage: tuple[str, int] | None = None


class OrderedRequests:
    """The requests of one model.

    An operation takes a ticket when the user calls it. It may consist of several requests, which
    get consecutive sequence numbers.

    Attributes:
        work: the user's functions, which must run on the user's threads.
        usage: counts the requests that succeeded.
    """

    def __init__(self, core: ClientCore, model_id: str, first_number: int = FIRST) -> None:
        self._core = core
        self._model_id = model_id
        self._turns = TurnQueue()
        self._numbers = SequenceNumbers(core.keep, first_number)
        self._sequential_only = False
        self._process = os.getpid()
        # Operations without a result so far. On the event loop only.
        self._pending = 0
        self._idle = asyncio.Event()
        self._unloaded = False
        self.work = CallerExecutor()
        self.usage = UsageCounter(core.usage)

    @property
    def next_number(self) -> int:
        """The sequence number that follows those of all submitted requests."""
        return self._numbers.next

    def start(
        self,
        chunks: Sequence[ChunkRequest],
        finish: Callable[[list[FetchedResult]], T],
        attributes: Attributes | None = None,
        *,
        parallel: bool = False,
        traced: tracing.Operation | None = None,
        hint: str | None = None,
    ) -> APIFuture[T]:
        """Submit the requests of an operation when its turn comes.

        They are sent one after the other, or in parallel if `parallel` is set. Returns a future of
        `finish(results)`. `traced` is the operation if the caller has begun it. `hint` is added to
        the error of a server that rejects the request.
        """
        self.check_usable()
        if traced is not None:
            if traced.active:
                traced.set(self._attributes(chunks, attributes))
            return self._start(chunks, finish, parallel, hint)
        operation = chunks[0].request.operation.name
        with tracing.operation(operation, self._attributes(chunks, attributes)):
            return self._start(chunks, finish, parallel, hint)

    def _start(
        self,
        chunks: Sequence[ChunkRequest],
        finish: Callable[[list[FetchedResult]], T],
        parallel: bool,
        hint: str | None,
    ) -> APIFuture[T]:
        ticket = self._turns.take()
        run = self._run(ticket, chunks, parallel)
        return self._core.start(
            run if hint is None else _with_hint(run, hint),
            finish,
            finally_=partial(self._turns.give_back, ticket),
            work=self.work,
            position=ticket,
        )

    def start_pair(
        self,
        run: Callable[[int, int], Awaitable[Any]],
        finish: Callable[[Any], T],
    ) -> APIFuture[T]:
        """Start `run` with two consecutive tickets, to be passed to `self.run`."""
        self.check_usable()
        first, second = self._turns.take(), self._turns.take()

        def give_back() -> None:
            self._turns.give_back(first)
            self._turns.give_back(second)

        async def both() -> Any:
            return await run(first, second)

        return self._core.start(both(), finish, finally_=give_back, work=self.work, position=second)

    def unload(
        self,
        request: Request[models.UntypedAPIFuture],
        finish: Callable[[list[FetchedResult]], T],
    ) -> APIFuture[T]:
        """Unload the model once all earlier operations have their results.

        Every later operation raises ClientClosedError, unless the server fails to unload the model.
        """
        self.check_usable()
        with tracing.operation("unload_model", {tracing.MODEL_ID: self._model_id}):
            ticket, self._unloaded = self._turns.take(), True
            return self._core.start(
                self._unload(ticket, request),
                finish,
                finally_=lambda: self._turns.give_back(ticket),
                work=self.work,
                position=ticket,
            )

    async def _unload(
        self, ticket: int, request: Request[models.UntypedAPIFuture]
    ) -> list[FetchedResult]:
        try:
            await self._turns.wait(ticket)
            try:
                while self._pending:
                    self._idle.clear()
                    await self._idle.wait()
                return [await submit(self._core, request)]
            finally:
                self._turns.give_back(ticket)
        except BaseException:
            self._unloaded = False
            raise

    async def run(
        self,
        ticket: int,
        chunks: Sequence[ChunkRequest],
        attributes: Attributes | None = None,
        *,
        parallel: bool = False,
    ) -> list[FetchedResult]:
        """Submit `chunks` when the ticket's turn comes; return their results in order."""
        operation = chunks[0].request.operation.name
        with tracing.operation(operation, self._attributes(chunks, attributes)):
            return await self._run(ticket, chunks, parallel)

    async def _run(
        self, ticket: int, chunks: Sequence[ChunkRequest], parallel: bool
    ) -> list[FetchedResult]:
        accepted: list[str] = []
        self._pending += 1
        try:
            if ticket > self._turns.serving:
                await self._turns.wait(ticket)
            try:
                epoch = self._numbers.epoch
                request_ids = await self._submit(chunks, accepted, parallel)
            finally:
                self._turns.give_back(ticket)
            if len(chunks) == 1:
                return [await self._result(chunks[0], request_ids[0], epoch)]
            pairs = zip(chunks, request_ids, strict=True)
            return await _gather(self._result(chunk, id_, epoch) for chunk, id_ in pairs)
        except TinkerError as error:
            if chunks[0].request.operation is operations.forward_backward:
                # If all were accepted, one of them failed.
                others = len(accepted) - (len(accepted) == len(chunks))
                _note_gradients(error, others, len(chunks))
            raise
        finally:
            self._pending -= 1
            if not self._pending:
                self._idle.set()

    async def _result(self, chunk: ChunkRequest, request_id: str, epoch: int) -> FetchedResult:
        operation = chunk.request.operation.name
        try:
            body = await self._core.poller.wait(request_id, operation=operation)
        except TinkerError as error:
            name_datums(error, chunk.datums)
            expected = isinstance(error, RequestFailedError) and expected_seq_id(error.message)
            if expected:
                # The request was not executed; later ones continue with the expected number. A
                # server that rejects a number ahead of its turn needs requests to arrive in order.
                self._numbers.rewind(expected, epoch)
                self._sequential_only = True
            raise
        if chunk.usage is not None:
            self.usage.add(**{chunk.usage[0]: chunk.usage[1]})
        return FetchedResult(body, request_id)

    async def _submit(
        self, chunks: Sequence[ChunkRequest], accepted: list[str], parallel: bool
    ) -> list[str]:
        """Submit requests; return their request ids, which are also added to `accepted`."""
        if parallel and not self._sequential_only:
            self._core.session.check()
            return await self._numbers.send_batch(
                [partial(self._send, chunk, accepted) for chunk in chunks],
                [chunk.request for chunk in chunks],
            )
        request_ids = []
        for chunk in chunks:
            self._core.session.check()
            send = partial(self._send, chunk, accepted)
            request_ids.append(await self._numbers.send(send, chunk.request))
        return request_ids

    async def _send(self, chunk: ChunkRequest, accepted: list[str], seq_id: int) -> str:
        budget, request = self._core.limits.training_bytes, chunk.request
        if not budget.take_now(request.size):
            await budget.take(request.size)
        traced = tracing.observed_operation.get()
        if traced is not None:
            traced.append(tracing.SEQ_ID, seq_id)
        try:
            request.number(seq_id)
            request_id = (await self._core.call(request)).request_id
        except TinkerError as error:
            name_datums(error, chunk.datums)
            raise
        finally:
            budget.give(request.size)
        if type(request_id) is not str:
            request_id = read_request_id(request.operation.name, request_id)
        if traced is not None:
            traced.append(tracing.REQUEST_ID, request_id)
        accepted.append(request_id)
        return request_id

    def _attributes(
        self, chunks: Sequence[ChunkRequest], attributes: Attributes | None
    ) -> Attributes:
        return {
            tracing.MODEL_ID: self._model_id,
            tracing.CHUNK_COUNT: len(chunks),
            **(attributes or {}),
        }

    def check_usable(self) -> None:
        """Check that this client may still use the model.

        Raises:
            ClientClosedError: the model was unloaded.
            TinkerError: this process was forked from the one that trains the model.
        """
        if self._unloaded:
            raise ClientClosedError(
                f"model {self._model_id} was unloaded; to continue from a saved state, call "
                "create_training_client_from_state"
            )
        if os.getpid() != self._process:
            raise TinkerError(
                f"model {self._model_id} belongs to the process that this one was forked from, and "
                "two processes can't keep its requests in order; create a training client in this "
                "process, or pickle the original one"
            )


def name_datums(error: TinkerError, datums: range) -> None:
    """Rewrite datum indices in the error of a request to indices in the operation's batch."""
    if not datums.start:
        return  # They are the same.
    error.message = text_in_batch(error.message, datums)
    error.args = (error.message, *error.args[1:])
    if isinstance(error, APIError):
        error.body = body_in_batch(error.body, datums)
    if isinstance(error, InvalidInputError) and error.where is not None:
        error.where = text_in_batch(error.where, datums)


def _note_gradients(error: TinkerError, others: int, total: int) -> None:
    """Add to an error the hint that the rest of its batch is executed nevertheless."""
    if others:
        error.hint = (
            f"{error.hint} The batch was sent as {total} requests, and the server accepted "
            f"{others} other{'s' if others > 1 else ''}: unless they also fail, the next "
            "optim_step includes their gradients."
        ).lstrip()


async def _gather(waits: Iterable[Coroutine[Any, Any, FetchedResult]]) -> list[FetchedResult]:
    """Gather the values; the first error cancels the other waits."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _with_hint(run: Awaitable[T], hint: str) -> T:
    """Add a hint to the error of a rejected request that has none."""
    try:
        return await run
    except (BadRequestError, UnprocessableEntityError, RequestFailedError) as error:
        error.hint = error.hint or hint
        raise
