"""The core shared by all clients of one `ServiceClient`, from first use to shutdown."""

from __future__ import annotations

import asyncio
import atexit
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import evolve, frozen
from tinker_api import models

from tinker_ext import tracing
from tinker_ext.config import ClientConfig
from tinker_ext.errors import APIResponseValidationError, ClientClosedError, ConfigurationError
from tinker_ext.private_files import read_backend_key
from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.rules.retry import RetryPolicy
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.concurrency.loop import (
    BackgroundLoop,
    TaskFuture,
    background_loop,
    loop_if_started,
)
from tinker_ext.runtime.concurrency.tasks import LogThrottle
from tinker_ext.runtime.concurrency.user_code import as_raised
from tinker_ext.runtime.connection.connection import Connection
from tinker_ext.runtime.results.batch_poller import BatchPollerRegistry, CancellationSender
from tinker_ext.runtime.results.poller import (
    FuturePoller,
    QueueLog,
    QueueStateObserver,
    SessionObserver,
    weak_proxy,
)
from tinker_ext.runtime.retrying import CircuitBreaker, Retrier, shared_pause
from tinker_ext.runtime.session import Session, SessionEnd, Telemetry, begin_session, finish_session
from tinker_ext.timeouts import REAL_CLOCK, Clock, check_timeout, new_progress
from tinker_ext.transport.operations import Request
from tinker_ext.transport.response import FetchedResult
from tinker_ext.usage import UsageCounter

if TYPE_CHECKING:
    import httpx


T = TypeVar("T")
R = TypeVar("R")

# Seconds that the interpreter's exit waits for pending shutdowns: an embedded backend has 15 to
# stop by itself (embedded.launch).
EXIT_LIMIT = 20.0

# Seconds to report the end of a session; ours. The second is for a client that is closed without
# waiting, as after Ctrl-C: its whole shutdown takes less than two seconds.
FINISH_LIMIT = 5.0
FINISH_LIMIT_IMMEDIATE = 0.5


class ClientCore:
    """One connection to one server with one configuration. Connects on first use.

    Args:
        config: the client's settings.
        find_base_url: returns the server's URL; called once, on a worker thread (an embedded
            backend has no URL before it has started).
        release: called after the last request.
        check_server: called after a request without a response; raises if no later one can succeed
            (a server at a URL may be reachable again later).
        transport: replaces the connection pool in tests.
        clock: replaces the time in tests, except that of heartbeats.
        key_file: returns the file with the key of an embedded backend, for other processes.

    Attributes:
        limits: the budgets of work in flight.
    """

    def __init__(
        self,
        config: ClientConfig,
        find_base_url: Callable[[], str],
        release: Callable[[], None] | None = None,
        *,
        check_server: Callable[[], None] = lambda: None,
        transport: httpx.AsyncBaseTransport | None = None,
        queue_state_observer: QueueStateObserver | None = None,
        session_observer: SessionObserver | None = None,
        clock: Clock = REAL_CLOCK,
        key_file: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self.config = config
        self._key_file = key_file
        self._queue_state_observer = queue_state_observer
        self._session_observer = session_observer
        self._clock = clock
        self._find_base_url = find_base_url
        self._release = release
        self._check_server = check_server
        self._transport = transport
        self._lock = threading.Lock()
        self._closed = False
        self._close_by = math.inf
        self._close_at_once = False
        self._closing: TaskFuture[None] | None = None
        self._drain: asyncio.Timeout | None = None
        self._owner = os.getpid()
        self.usage = UsageCounter()
        _set_up_tracing(config)
        self._reset()
        _open.add(self)

    def _reset(self) -> None:
        """Set up the state that belongs to this process and its loop.

        Background tasks refer to the connection and not to the core, so the core is
        garbage-collected with the last client and the last task, and its resources are then closed.
        """
        config = self.config
        self._process = os.getpid()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unretrieved = LogThrottle()
        key, failures, breaker = config.rate_limit_key, config.circuit_failures, None
        if failures is not None:
            breaker = CircuitBreaker(key, failures, config.circuit_cooldown, self._clock)
        retrier = Retrier(shared_pause(key, self._clock), self._clock, breaker)
        connection = Connection(
            config, self._find_base_url, retrier, self._check_server, self._transport
        )
        telemetry = Telemetry(connection.send_telemetry, enabled=config.telemetry)
        session = Session(
            partial(begin_session, connection, telemetry, config),
            connection.beat,
            interval=config.heartbeat_interval,
            observer=weak_proxy(self._session_observer),
        )

        def alive() -> bool:
            return session.is_alive

        self.connection, self.telemetry, self.session = connection, telemetry, session
        self.limits = connection.limits
        self.batch_pollers = BatchPollerRegistry(connection, alive)
        self.cancellations = CancellationSender(connection)
        self.poller = FuturePoller(
            connection,
            config.future_timeout,
            QueueLog(self._queue_state_observer, self._clock),
            alive,
        )
        release = self._release if self._owner == os.getpid() else None
        self._resources = BackgroundResources(
            batch_pollers=self.batch_pollers,
            cancellations=self.cancellations,
            session=session,
            telemetry=telemetry,
            connection=connection,
            release=release,
            process=self._process,
        )
        self._finalizer = weakref.finalize(self, self._resources.schedule_shutdown)
        self._finalizer.atexit = False  # _close_open_cores does that.

    @property
    def protocol(self) -> ServerProtocol:
        """The protocol negotiated with the server, and what its errors have shown since."""
        return self.connection.protocol

    @property
    def loop(self) -> BackgroundLoop:
        """The loop of this process; a forked process has its own."""
        return background_loop()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def start(
        self,
        coroutine: Coroutine[Any, Any, R],
        finish: Callable[[R], T],
        *,
        finally_: Callable[[], None] | None = None,
        work: CallerExecutor | None = None,
        position: int | None = None,
        cancel_unawaited: bool = False,
    ) -> APIFuture[T]:
        """Run `coroutine` on the loop and return a future of `finish(value)`.

        `position` is that of an operation in the order of its model's calls.
        With `cancel_unawaited`, cancelling the last `await` of the future cancels the task.

        Raises:
            ClientClosedError: the client was closed.
        """
        if self._closed:
            coroutine.close()
            raise ClientClosedError
        if self._process != os.getpid():
            self._reset_after_fork()
        traced = tracing.current_operation.get()
        if traced is not None and traced.handed_over:
            traced = None
        operation = None if traced is None else traced.name
        progress = new_progress(operation)
        outcome = background_loop().submit(
            coroutine,
            finally_=finally_,
            tasks=self._tasks,
            progress=progress,
            on_done=None if traced is None else partial(self._call_done, traced),
        )
        outcome.operation = operation
        outcome.position = position
        outcome.cancel_unawaited = cancel_unawaited
        outcome.throttle = self._unretrieved
        staged = None
        if traced is not None:
            traced.handed_over = True
            staged = traced if traced.staged else None
        return APIFuture(outcome, finish, work=work, progress=progress, traced=staged)

    def _call_done(self, traced: tracing.Operation, error: BaseException | None) -> None:
        if error is None:
            if traced.active:
                traced.finish()
        else:
            error = as_raised(error) or error
            traced.finish(error)
            self.telemetry.call_failed(traced.name, error)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Have `close` wait for a task, or cancel it; the task may outlive its caller."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(tasks.retrieve_exception)

    def call(
        self,
        request: Request[T],
        *,
        adjust: Callable[[RetryPolicy], RetryPolicy] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Execute one logical call, with retries, under one idempotency key.

        `adjust` changes the retry policy of the operation.
        """
        return self.connection.call(request, session_id=self.session.known_id, adjust=adjust)

    def close(self, timeout: float, end: SessionEnd | None = None) -> None:
        """Wait at most `timeout` seconds for pending requests, then cancel the rest.

        Reports `end` to the server if given. On the client's own loop it returns at once and closes
        in the background. A second call waits for the first, and shortens its timeout if its own
        ends earlier.

        Raises:
            InvalidInputError: `timeout` is not a number; the client stays open.
        """
        timeout = check_timeout(timeout)
        if self._process != os.getpid():
            # The resources belong to the process that this one was forked from, and a thread of
            # that process may have held the lock.
            self._closed = True
            self._finalizer.detach()
            return
        close_by = time.monotonic() + timeout
        with self._lock:
            is_first = not self._closed
            self._closed = True
            self._close_by = min(self._close_by, close_by)
            self._close_at_once |= timeout <= 0
            if is_first:
                self._finalizer.detach()
                self._closing = self.loop.submit(self._shut_down(end))
            elif self._closing is not None and not self._closing.done():
                self.loop.call_soon(self._shorten_drain)
            closing = self._closing
        if closing is None or self.loop.is_current():
            return
        if is_first:
            closing.result()
        else:
            with suppress(CancelledError):
                closing.exception()  # The first call raises it.

    async def _shut_down(self, end: SessionEnd | None) -> None:
        if self._tasks and not self._close_at_once:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._close_by - time.monotonic()) as self._drain:
                    await asyncio.wait(set(self._tasks))
        self._drain = None
        while self._tasks:
            await tasks.cancel_and_wait(*self._tasks)
        await self._resources.close(end, immediate=self._close_at_once)

    def _shorten_drain(self) -> None:
        """Apply an earlier `_close_by` to a shutdown that waits for pending requests."""
        if self._drain is not None and not self._drain.expired():
            left = self._close_by - time.monotonic()
            self._drain.reschedule(asyncio.get_running_loop().time() + left)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return unpickled_core, self.portable()

    def portable(self) -> tuple[ClientConfig, Path | None]:
        """The state to pickle: the settings without the key, and an embedded backend's key file.

        The settings contain the server's URL if it is known.
        """
        base_url = self.connection.base_url
        config = self.config if base_url is None else evolve(self.config, base_url=base_url)
        return config, self._key_file()

    def _reset_after_fork(self) -> None:
        self._lock = threading.Lock()
        self._finalizer.detach()
        self._reset()


def _set_up_tracing(config: ClientConfig) -> None:
    try:
        tracing.set_up(config.trace_file, config.trace_detail, config.log_level)
    except OSError as error:
        raise ConfigurationError(
            f"spans can't be written to {config.trace_file}: {error.strerror}",
            setting="trace_file",
        ) from None


def unpickled_core(config: ClientConfig, key_file: Path | None) -> ClientCore:
    """The core shared by all clients that this process unpickles with the same settings.

    Its key comes from this process's environment, or from the `key_file` of an embedded backend. If
    there is none, the first call raises ConfigurationError.
    """
    if key_file is not None:
        config = evolve(config, api_key=read_backend_key(key_file), credential_cmd=None)
    name = (config.rate_limit_key, key_file, repr(config))
    with _unpickled_lock:
        core = _unpickled.get(name)
        if core is None or core.closed:

            def find_base_url() -> str:
                if config.is_embedded:
                    raise ConfigurationError(
                        "the client was pickled before its embedded backend started"
                    )
                if key_file is not None and config.api_key is None:
                    raise ConfigurationError(
                        f"this client's embedded backend has stopped: {key_file} has no key"
                    )
                config.check_key()
                return config.base_url

            core = _unpickled[name] = ClientCore(config, find_base_url, key_file=lambda: key_file)
        return core


@frozen(eq=False, kw_only=True)
class BackgroundResources:
    """A client's background resources, closed together.

    None holds a reference to the client, so it can be garbage-collected.

    Attributes:
        release: called last, on a worker thread; None if there is nothing to release.
        process: the id of the process that owns the resources; a forked process has none to close.
    """

    batch_pollers: BatchPollerRegistry
    cancellations: CancellationSender
    session: Session
    telemetry: Telemetry
    connection: Connection
    release: Callable[[], None] | None
    process: int

    async def close(self, end: SessionEnd | None = None, *, immediate: bool = False) -> None:
        """Send cancellations and telemetry, stop the heartbeat, report `end`, close the sockets.

        With `immediate` the server has less time to respond to the report.
        """
        try:
            await asyncio.gather(
                self.cancellations.close(), self.batch_pollers.close(), self.telemetry.close()
            )
            await self.session.close()
            session_id = self.session.known_id
            if end is not None and session_id is not None:
                limit = FINISH_LIMIT_IMMEDIATE if immediate else FINISH_LIMIT
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit):
                        await finish_session(self.connection, session_id, end)
            await self.connection.close()
        finally:
            await self._release_on_a_worker()

    async def _release_on_a_worker(self) -> None:
        if self.release is None:
            return
        try:
            releasing = asyncio.get_running_loop().run_in_executor(None, self.release)
        except RuntimeError:  # The interpreter is exiting and starts no more threads.
            self.release()
        else:
            await releasing

    def schedule_shutdown(self) -> None:
        """Close in the background. May be called from any thread at any time.

        The garbage collector calls it, so it takes no lock and does not block.
        """
        loop = loop_if_started()
        if self.process == os.getpid() and loop is not None:
            # In an empty context: any span may be current here.
            closing = Context().run(loop.submit, self.close())
            _pending.add(closing)
            closing.add_done_callback(_pending.discard)


def wait_for_shutdowns() -> None:
    """Wait for the shutdown of clients that were dropped just before the interpreter's exit."""
    wait(list(_pending), EXIT_LIMIT)


def read_request_id(operation: str, value: object) -> str:
    """The id of an accepted request as text. Some servers use integers.

    Raises:
        APIResponseValidationError: it is neither text nor an integer.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise APIResponseValidationError(
        f"request_id: expected text or an integer, got {type(value).__name__}",
        operation=operation,
    )


async def submit(core: ClientCore, request: Request[models.UntypedAPIFuture]) -> FetchedResult:
    """Submit one request and return its result."""
    future = await core.call(request)
    request_id = future.request_id
    if type(request_id) is not str:
        request_id = read_request_id(request.operation.name, request_id)
    if (traced := tracing.observed_operation.get()) is not None:
        traced.append(tracing.REQUEST_ID, request_id)
    body = await core.poller.wait(request_id, operation=request.operation.name)
    return FetchedResult(body, request_id)


_pending: set[Future[None]] = set()
_open: weakref.WeakSet[ClientCore] = weakref.WeakSet()
_unpickled: weakref.WeakValueDictionary[Any, ClientCore] = weakref.WeakValueDictionary()
_unpickled_lock = threading.Lock()


@atexit.register
def _close_open_cores() -> None:
    for core in list(_open):
        core.close(timeout=0.0)
    wait_for_shutdowns()
