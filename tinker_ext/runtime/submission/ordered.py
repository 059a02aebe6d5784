"""One model's requests, submitted in the order they were made, their results awaited apart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen
from opentelemetry.util.types import AttributeValue
from tinker_api import models

from tinker_ext import tracing
from tinker_ext.errors import (
    APIError,
    ClientClosedError,
    InvalidInputError,
    RequestFailedError,
    TinkerError,
)
from tinker_ext.protocol.seq_ids import expected_seq_id
from tinker_ext.rules.datum_index import body_in_batch, text_in_batch
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor
from tinker_ext.runtime.concurrency.turns import TurnQueue
from tinker_ext.runtime.submission.sequence import FIRST, SequenceNumbers
from tinker_ext.runtime.submission.submitting import submit
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.results import FetchedResult

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore

T = TypeVar("T")
Body = FetchedResult
Send = Callable[[Gateway, int], Awaitable[models.UntypedAPIFuture]]
Attributes = Mapping[str, AttributeValue]


@frozen
class ChunkRequest:
    """One request of an operation: how to send it under a sequence number, and its bytes.

    `datums` are those that it carries of the operation's batch.
    """

    send: Send
    size: int = 0
    datums: range = range(0)


class OrderedRequests:
    """The requests of one model.

    An operation takes a ticket when the user calls it and may be several requests, which follow
    each other directly. `work` holds what must run on a thread of the user's meanwhile.
    """

    def __init__(self, core: ClientCore, model_id: str, first_number: int = FIRST) -> None:
        self._core = core
        self._model_id = model_id
        self._turns = TurnQueue()
        self._numbers = SequenceNumbers(core.keep, first_number)
        self._sequential_only = False
        self._process = os.getpid()
        # Operations whose results are not there yet, counted on the event loop.
        self._under_way = 0
        self._idle = asyncio.Event()
        self._unloaded = False
        self.work = CallerExecutor()

    @property
    def next_number(self) -> int:
        """The sequence number of the next request, once those under way are submitted."""
        return self._numbers.next

    def start(
        self,
        operation: str,
        parts: Sequence[ChunkRequest],
        finish: Callable[[list[Body]], T],
        attributes: Attributes | None = None,
        *,
        parallel: bool = False,
    ) -> APIFuture[T]:
        """Submit one operation in its turn; a future of `finish(its results' bodies)`.

        Several requests of it are sent one after the other, or `side_by_side`.
        """
        self.check_usable()
        with tracing.operation(operation, self._described(parts, attributes)):
            ticket = self._turns.take()
            return self._core.start(
                self._run(operation, ticket, parts, parallel),
                finish,
                finally_=lambda: self._turns.give_back(ticket),
                work=self.work,
            )

    def start_pair(
        self,
        run: Callable[[int, int], Awaitable[Any]],
        finish: Callable[[Any], T],
    ) -> APIFuture[T]:
        """Start `run` with two tickets that follow each other; it uses them with `run`."""
        self.check_usable()
        first, second = self._turns.take(), self._turns.take()

        def give_back() -> None:
            self._turns.give_back(first)
            self._turns.give_back(second)

        async def both() -> Any:
            return await run(first, second)

        return self._core.start(both(), finish, finally_=give_back, work=self.work)

    def unload(
        self,
        send: Callable[[Gateway], Awaitable[models.UntypedAPIFuture]],
        finish: Callable[[list[Body]], T],
    ) -> APIFuture[T]:
        """Unload the model once the results of all earlier operations are there.

        From now on every other operation is refused, unless the server fails to unload it.
        """
        self.check_usable()
        with tracing.operation("unload_model", {tracing.MODEL_ID: self._model_id}):
            ticket, self._unloaded = self._turns.take(), True
            return self._core.start(
                self._unload(ticket, send),
                finish,
                finally_=lambda: self._turns.give_back(ticket),
                work=self.work,
            )

    async def _unload(
        self, ticket: int, send: Callable[[Gateway], Awaitable[models.UntypedAPIFuture]]
    ) -> list[Body]:
        try:
            async with self._turns.turn(ticket):
                while self._under_way:
                    self._idle.clear()
                    await self._idle.wait()
                return [await submit(self._core, "unload_model", send)]
        except BaseException:
            self._unloaded = False
            raise

    async def run(
        self,
        operation: str,
        ticket: int,
        parts: Sequence[ChunkRequest],
        attributes: Attributes | None = None,
        *,
        parallel: bool = False,
    ) -> list[Body]:
        """Submit `parts` when it is the ticket's turn; the bodies of their results, in order."""
        with tracing.operation(operation, self._described(parts, attributes)):
            return await self._run(operation, ticket, parts, parallel)

    async def _run(
        self, operation: str, ticket: int, parts: Sequence[ChunkRequest], parallel: bool
    ) -> list[Body]:
        accepted: list[str] = []
        try:
            with self._request_slot():
                async with self._turns.turn(ticket):
                    epoch = self._numbers.epoch
                    if parallel and not self._sequential_only:
                        request_ids = await self._submit_together(operation, parts, accepted)
                    else:
                        request_ids = [
                            await self._submit(operation, part, accepted) for part in parts
                        ]
                pairs = zip(parts, request_ids, strict=True)
                return await _all(self._result(operation, part, id_, epoch) for part, id_ in pairs)
        except TinkerError as error:
            if operation == "forward_backward":
                others = len(accepted) - (len(accepted) == len(parts))  # Without the failed one.
                _note_gradients(error, others, len(parts))
            raise

    @contextmanager
    def _request_slot(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _result(
        self, operation: str, part: ChunkRequest, request_id: str, epoch: int
    ) -> Body:
        try:
            with naming_datums(part.datums):
                body = await self._core.poller.wait(request_id, operation=operation)
                return FetchedResult(body, request_id)
        except RequestFailedError as error:
            expected = expected_seq_id(error.message)
            if expected is not None:
                # This request was not carried out; those after it shall be. A server that refuses
                # a number before its turn wants requests in order.
                self._numbers.rewind(expected, epoch)
                self._sequential_only = True
            raise

    async def _submit(self, operation: str, part: ChunkRequest, accepted: list[str]) -> str:
        """Its request id, which is added to `accepted`."""
        self._core.session.check()
        async with self._core.limits.training_bytes.reserve(part.size):
            return await self._numbers.number(partial(self._send, operation, part, accepted))

    async def _submit_together(
        self, operation: str, parts: Sequence[ChunkRequest], accepted: list[str]
    ) -> list[str]:
        """Their request ids, which are added to `accepted` as they come."""

        async def send(part: ChunkRequest, seq_id: int) -> str:
            async with self._core.limits.training_bytes.reserve(part.size):
                return await self._send(operation, part, accepted, seq_id)

        self._core.session.check()
        return await self._numbers.send_batch([partial(send, part) for part in parts])

    async def _send(
        self, operation: str, part: ChunkRequest, accepted: list[str], seq_id: int
    ) -> str:
        tracing.append_id(tracing.SEQ_ID, seq_id)
        with naming_datums(part.datums):
            future = await self._core.call(operation, lambda gateway: part.send(gateway, seq_id))
        request_id = str(future.request_id)  # Some servers number them.
        tracing.append_id(tracing.REQUEST_ID, request_id)
        accepted.append(request_id)
        return request_id

    def _described(
        self, parts: Sequence[ChunkRequest], attributes: Attributes | None
    ) -> Attributes:
        return {
            tracing.MODEL_ID: self._model_id,
            tracing.CHUNK_COUNT: len(parts),
            **(attributes or {}),
        }

    def check_usable(self) -> None:
        """Refuse a call on a model that is not this client's to use any more.

        Raises:
            ClientClosedError: it was unloaded.
            TinkerError: this is a forked process.
        """
        if self._unloaded:
            raise ClientClosedError(
                f"model {self._model_id} was unloaded; create another, from a saved state with "
                "create_training_client_from_state"
            )
        if os.getpid() != self._process:
            raise TinkerError(
                f"model {self._model_id} is trained by the process that this one was forked from, "
                "and two can't keep one order; make a training client here, or pickle that one"
            )


@contextmanager
def naming_datums(datums: range) -> Iterator[None]:
    """Have errors of a request name its datums by their places in the batch."""
    try:
        yield
    except TinkerError as error:
        if datums.start:
            error.message = text_in_batch(error.message, datums)
            error.args = (error.message, *error.args[1:])
            if isinstance(error, APIError):
                error.body = body_in_batch(error.body, datums)
            if isinstance(error, InvalidInputError) and error.where is not None:
                error.where = text_in_batch(error.where, datums)
        raise


def _note_gradients(error: TinkerError, others: int, total: int) -> None:
    """Say in an error that the rest of its batch is carried out nevertheless."""
    if others:
        error.hint = (
            f"{error.hint} The batch was sent as {total} requests, and the server has accepted "
            f"{others} other{'s' if others > 1 else ''}: unless they fail too, their gradients "
            "will be part of the next optim_step."
        ).lstrip()


async def _all(waits: Iterable[Coroutine[Any, Any, Body]]) -> list[Body]:
    """The values of all; the first error ends the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
