"""Requests about many samples: one poll for their completion, and cancellations in batches."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping
from itertools import islice
from typing import TypeAlias

from tinker_api import models

from tinker_ext.errors import (
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    TinkerError,
)
from tinker_ext.rules.completions import is_tolerated, parse_completed_requests
from tinker_ext.rules.polling import QueueState, TryAgain, poll_delay
from tinker_ext.rules.retry import TransportFault
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.connection.connection import Connection
from tinker_ext.tracing import log
from tinker_ext.transport import operations

# All in seconds, all ours. Minimum time between the starts of two batch polls, so that requests
# that complete within a moment are reported together.
MIN_INTERVAL = 0.02
# Before a batch poll is repeated that a proxy may have rejected.
RETRY_DELAY = 1.0
# How long the acknowledgement of fetched results is held back while no request waits. Most clients
# soon wait again, and the next batch poll then carries it.
ACK_DELAY = 1.0
# A request that no batch poll has reported for this long is polled individually, once: a restarted
# server may have forgotten its completion.
MAX_WAIT = 120.0
# How long batch polling stays disabled after a failure.
DISABLED_FOR = 60.0
# How long closing a client may take to acknowledge fetched results, and to cancel samples in the
# queue. Those that are not cancelled by then end on the server when the heartbeats stop.
CLOSE_TIMEOUT = 1.0

# Reported completions that no caller waits for (yet); the oldest are dropped.
MAX_KEPT = 10_000

# Whether a request has completed, and the size of its result in bytes if known.
_Completion: TypeAlias = tuple[bool, int | None]


class BatchPollerRegistry:
    """Creates the batch pollers of one client, and closes them."""

    def __init__(self, connection: Connection, alive: Callable[[], bool]) -> None:
        self.connection = connection
        self.alive = alive
        self._clock = connection.retrier.clock
        self._disabled_until = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()

    def create(self, sampling_session_id: str, client_counter: int) -> BatchPoller:
        """A batch poller for the requests of one client of a sampling session."""
        return BatchPoller(self, sampling_session_id, client_counter)

    @property
    def available(self) -> bool:
        """Whether the server supports batch polls and none has failed recently."""
        supported = self.connection.protocol.supports("retrieve_futures")
        return supported and self._clock.now() >= self._disabled_until

    def back_off(self) -> None:
        """Disable batch polling for `DISABLED_FOR` seconds."""
        self._disabled_until = self._clock.now() + DISABLED_FOR

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work` in an empty context, so that it belongs to no caller's span."""
        task = tasks.create_detached_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Stop all pollers. Each may still acknowledge the results it fetched."""
        await tasks.cancel_and_wait(*self._tasks)


class BatchPoller:
    """Polls for all waiting requests while any request waits. On the event loop only.

    Each batch poll acknowledges earlier ones, so that the server can drop what it holds: the cursor
    acknowledges reported completions, the request ids acknowledge fetched results. Both are sent
    until a response shows that they arrived.
    """

    def __init__(
        self, registry: BatchPollerRegistry, sampling_session_id: str, client_counter: int
    ) -> None:
        self._registry = registry
        self._connection = registry.connection
        self._clock = registry.connection.retrier.clock
        self._target = (sampling_session_id, client_counter)
        self._waiting: dict[str, asyncio.Future[_Completion]] = {}
        self._completed: OrderedDict[str, int | None] = OrderedDict()
        self._cursor = self._acknowledged_cursor = 0
        self._fetched: set[str] = set()
        self._request_waits = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def completed(self, request_id: str, timeout: float) -> _Completion:
        """Return when the request should be polled: whether it completed, and its result's size.

        It returns without a completion after `timeout` seconds or `MAX_WAIT`, and as soon as batch
        polling is unavailable.
        """
        if request_id in self._completed:
            return True, self._completed.pop(request_id)
        if not self._registry.available:
            return False, None
        waiter: asyncio.Future[_Completion] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiter
        self._request_waits.set()
        self._start()
        try:
            async with asyncio.timeout(min(timeout, MAX_WAIT)):
                return await waiter
        except TimeoutError:
            return False, None
        finally:
            if self._waiting.get(request_id) is waiter:
                del self._waiting[request_id]

    def acknowledge(self, request_id: str) -> None:
        """Note that the request's result was fetched, so that the server may drop it."""
        if self._registry.available:
            self._fetched.add(request_id)
            self._start()

    @property
    def _has_acknowledgements(self) -> bool:
        return bool(self._fetched) or self._cursor != self._acknowledged_cursor

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._registry.run(self._run())

    async def _run(self) -> None:
        try:
            await self._poll_while_needed()
        except asyncio.CancelledError:
            await self._acknowledge_at_close()
            raise
        except Exception as error:  # Any error must wake the waiting requests.
            self._disable(error)

    async def _poll_while_needed(self) -> None:
        rejections = empty_polls = 0
        while await self._is_needed():
            started = self._clock.now()
            try:
                reported = await self._poll(wait=bool(self._waiting))
            except APIStatusError as error:
                rejections += 1
                if not is_tolerated(error.status_code, rejections):
                    raise
                await self._clock.sleep(RETRY_DELAY)
                continue
            rejections = 0
            empty_polls = 0 if reported else empty_polls + 1
            held = self._clock.now() - started
            if self._waiting:
                delay = max(MIN_INTERVAL - held, self._idle_delay(empty_polls, held))
                await self._clock.sleep(delay)

    def _idle_delay(self, empty_polls: int, held: float) -> float:
        """Seconds to wait after empty responses of a server that does not hold polls."""
        if not empty_polls:
            return 0.0
        return poll_delay(TryAgain(QueueState.ACTIVE), empty_polls, self._clock.jitter(), held=held)

    async def _is_needed(self) -> bool:
        """Whether a request waits, or acknowledgements are due and no request soon waits again."""
        if not self._waiting and self._has_acknowledgements:
            self._request_waits.clear()
            try:
                async with asyncio.timeout(ACK_DELAY):
                    await self._request_waits.wait()
            except TimeoutError:
                pass
        return bool(self._waiting) or self._has_acknowledgements

    async def _poll(self, *, wait: bool) -> int:
        """Send one batch poll with all acknowledgements; return the number of completions."""
        cursor, fetched = self._cursor, sorted(self._fetched)

        def nothing_completed(error: APIError) -> None:
            """Some servers hold a poll for longer than the client's timeout."""
            timed_out = isinstance(error, APITimeoutError) and error.fault == TransportFault.TIMEOUT
            if not (wait and timed_out and self._registry.alive()):
                raise error

        request = operations.retrieve_futures(*self._target, cursor, fetched=fetched, wait=wait)
        request.on_error = nothing_completed
        body = await self._connection.call(request)
        if body is None:
            return 0
        report = parse_completed_requests(body)
        if report is None:
            raise APIResponseValidationError(
                "expected a list of completions and a cursor", operation="retrieve_futures"
            )
        self._acknowledged_cursor = cursor
        self._fetched.difference_update(fetched)
        self._cursor = report.cursor
        self._apply(report.sizes)
        return len(report.sizes)

    def _apply(self, completed: Mapping[str, int | None]) -> None:
        """Wake the waiters of completed requests, given with their result sizes."""
        for request_id, size in completed.items():
            waiter = self._waiting.pop(request_id, None)
            if waiter is None:
                self._completed[request_id] = size
            elif not waiter.done():
                waiter.set_result((True, size))
        while len(self._completed) > MAX_KEPT:
            self._completed.popitem(last=False)

    def _disable(self, error: Exception) -> None:
        """Have all requests polled individually for `DISABLED_FOR` seconds."""
        self._registry.back_off()
        log.info(
            "batch polling failed; samples are polled individually for %.0f s: %s",
            DISABLED_FOR,
            error,
        )
        self._fetched.clear()
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            if not waiter.done():
                waiter.set_result((False, None))

    async def _acknowledge_at_close(self) -> None:
        if not self._has_acknowledgements:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._poll(wait=False)
        except Exception as error:
            log.debug("fetched results could not be acknowledged: %s", error)


class CancellationSender:
    """Sends cancellations in the background, in batches. On the event loop only.

    Failed cancellations are logged and not raised.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: deque[str] = deque()
        self._sending: asyncio.Task[None] | None = None

    def add(self, request_id: str) -> None:
        """Queue the cancellation of a request, if the server has cancellation enabled."""
        if not self._enabled:
            return
        self._queue.append(request_id)
        if self._sending is None or self._sending.done():
            self._sending = tasks.create_detached_task(self._send())

    @property
    def _enabled(self) -> bool:
        protocol = self._connection.protocol
        return protocol.dynamic.sample_cancel_enabled and protocol.supports("cancel_future")

    async def _send(self) -> None:
        while self._queue and self._enabled:
            batch_size = max(1, self._connection.protocol.dynamic.sample_cancel_max_batch_size)
            batch = list(islice(self._queue, batch_size))
            for _ in batch:
                self._queue.popleft()
            await asyncio.gather(*map(self._cancel, batch))
        self._queue.clear()

    async def _cancel(self, request_id: str) -> None:
        try:
            body = models.CancelFutureRequest(request_id=request_id)
            await self._connection.call(operations.cancel_future(body=body))
        except TinkerError as error:
            log.debug("request %s was not cancelled: %s", request_id, error)

    async def close(self) -> None:
        """Send queued cancellations for at most `CLOSE_TIMEOUT` seconds."""
        if self._sending is None:
            return
        await asyncio.wait({self._sending}, timeout=CLOSE_TIMEOUT)
        await tasks.cancel_and_wait(self._sending)
