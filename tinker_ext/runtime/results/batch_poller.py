"""Hears which of many requests have ended by one question, so that not each is asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from tinker_ext.errors import APIResponseValidationError, APIStatusError, APITimeoutError
from tinker_ext.rules.completions import CompletedRequests, is_tolerated, parse_completed_requests
from tinker_ext.rules.polling import QueueState, TryAgain, poll_delay
from tinker_ext.rules.retry import TransportFault
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tinker_ext.runtime.connection.connection import Connection
    from tinker_ext.transport.gateway import Gateway

# All seconds, all ours. Two questions begin at least so far apart, so that what ends in a moment is
# told together.
MIN_INTERVAL = 0.02
# Before the question is asked again that a proxy may have refused.
RETRY_DELAY = 1.0
# How long a client with nothing left to wait for keeps back its report of what it fetched: most
# soon wait again, and the next question has it.
ACK_DELAY = 1.0
# After this a request that nobody has told of is asked for itself, once: a server that was
# restarted has forgotten what it would have told.
MAX_WAIT = 120.0
# How long the question is put aside when it came to nothing.
DISABLED_FOR = 60.0
# The report of a client that ends may take so long.
CLOSE_TIMEOUT = 1.0

# Ended requests that nobody waits for (yet); the oldest are forgotten.
MAX_KEPT = 10_000

# Whether a request has ended, and its result's size in bytes if that is known.
_End: TypeAlias = tuple[bool, int | None]


class BatchPollerRegistry:
    """The listeners of one client: what goes on for them in the background, and ends with it."""

    def __init__(self, connection: Connection, alive: Callable[[], bool]) -> None:
        self.connection = connection
        self.alive = alive
        self._clock = connection.retrier.clock
        self._rests_until = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()

    def listener(self, sampling_session_id: str, client_counter: int) -> BatchPoller:
        """One for the requests of one client of a sampling session."""
        return BatchPoller(self, sampling_session_id, client_counter)

    @property
    def available(self) -> bool:
        """Whether anything is to be heard: the server has that, and it went well of late."""
        known = self.connection.dialect.supports("retrieve_futures")
        return known and self._clock.now() >= self._rests_until

    def back_off(self) -> None:
        """Hear nothing for a while."""
        self._rests_until = self._clock.now() + DISABLED_FOR

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run in a context of its own: whose span is current is chance."""
        task = tasks.create_detached_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End them all; each may report what was fetched."""
        await tasks.cancel_and_wait(*self._tasks)


class BatchPoller:
    """Asks for all that wait, while somebody waits. On the event loop only.

    What it reports with each question lets the server forget: the cursor what was told, the ids
    what was fetched. Both are reported until an answer shows that they arrived.
    """

    def __init__(
        self, batch_pollers: BatchPollerRegistry, sampling_session_id: str, client_counter: int
    ) -> None:
        self._batch_pollers = batch_pollers
        self._connection = batch_pollers.connection
        self._clock = batch_pollers.connection.retrier.clock
        self._target = (sampling_session_id, client_counter)
        self._waiting: dict[str, asyncio.Future[_End]] = {}
        self._ended: OrderedDict[str, int | None] = OrderedDict()
        self._cursor = self._reported = 0
        self._fetched: set[str] = set()
        self._needed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def ended(self, request_id: str, within: float) -> _End:
        """Return when the request is to be asked for: whether it ended, its result's size if known.

        Where it is not known to have ended, `within` seconds or `PATIENCE` have passed, or nothing
        is told here.
        """
        if request_id in self._ended:
            return True, self._ended.pop(request_id)
        if not self._batch_pollers.available:
            return False, None
        waiter: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiter
        self._needed.set()
        self._listen()
        try:
            async with asyncio.timeout(min(within, MAX_WAIT)):
                return await waiter
        except TimeoutError:
            return False, None
        finally:
            if self._waiting.get(request_id) is waiter:
                del self._waiting[request_id]

    def acknowledge(self, request_id: str) -> None:
        """The request's end has been seen; its result may be dropped."""
        if self._batch_pollers.available:
            self._fetched.add(request_id)
            self._listen()

    @property
    def _has_news(self) -> bool:
        return bool(self._fetched) or self._cursor != self._reported

    def _listen(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._batch_pollers.run(self._ask_while_needed())

    async def _ask_while_needed(self) -> None:
        try:
            await self._ask_on()
        except asyncio.CancelledError:
            await self._report_at_last()
            raise
        except Exception as error:  # Whatever it is, those who wait must hear of it.
            self._disable(error)

    async def _ask_on(self) -> None:
        refused = quiet = 0
        while await self._is_needed():
            asked = self._clock.now()
            try:
                told = await self._ask(wait=bool(self._waiting))
            except APIStatusError as error:
                refused += 1
                if not is_tolerated(error.status_code, refused):
                    raise
                await self._clock.sleep(RETRY_DELAY)
                continue
            refused = 0
            quiet = 0 if told else quiet + 1
            took = self._clock.now() - asked
            if self._waiting:
                await self._clock.sleep(max(MIN_INTERVAL - took, self._idle_pause(quiet, took)))

    def _idle_pause(self, quiet: int, took: float) -> float:
        """For servers that answer at once though there is nothing to tell."""
        if not quiet:
            return 0.0
        return poll_delay(TryAgain(QueueState.ACTIVE), quiet, self._clock.jitter(), held=took)

    async def _is_needed(self) -> bool:
        """Whether somebody waits, or there is something to report and nobody soon waits again."""
        if not self._waiting and self._has_news:
            self._needed.clear()
            try:
                async with asyncio.timeout(ACK_DELAY):
                    await self._needed.wait()
            except TimeoutError:
                pass
        return bool(self._waiting) or self._has_news

    async def _ask(self, *, wait: bool) -> int:
        """Ask once, and report; how many requests have ended."""
        cursor, fetched = self._cursor, sorted(self._fetched)

        async def send(gateway: Gateway) -> object:
            try:
                return await gateway.retrieve_futures(
                    *self._target, cursor, fetched=fetched, wait=wait
                )
            except APITimeoutError as error:
                # Some servers hold a question for longer than we let them.
                if not (
                    wait and error.fault == TransportFault.TIMEOUT and self._batch_pollers.alive()
                ):
                    raise
                return None

        body = await self._connection.call("retrieve_futures", send)
        if body is None:
            return 0
        told = parse_completed_requests(body)
        if told is None:
            raise APIResponseValidationError(
                "the answer does not tell what has ended", operation="retrieve_futures"
            )
        self._reported = cursor
        self._fetched.difference_update(fetched)
        self._apply(told)
        return len(told.sizes)

    def _apply(self, told: CompletedRequests) -> None:
        self._cursor = told.cursor
        for request_id, size in told.sizes.items():
            waiter = self._waiting.pop(request_id, None)
            if waiter is None:
                self._ended[request_id] = size
            elif not waiter.done():
                waiter.set_result((True, size))
        while len(self._ended) > MAX_KEPT:
            self._ended.popitem(last=False)

    def _disable(self, error: Exception) -> None:
        """Let everybody ask for themselves, for a while."""
        self._batch_pollers.back_off()
        log.info("what has ended can't be heard together, so each sample is asked for: %s", error)
        self._fetched.clear()
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            if not waiter.done():
                waiter.set_result((False, None))

    async def _report_at_last(self) -> None:
        if not self._has_news:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._ask(wait=False)
        except Exception as error:
            log.debug("what was fetched could not be reported: %s", error)
