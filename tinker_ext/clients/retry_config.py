"""Retry settings of one sampling client, with the names of the official SDK."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from contextvars import Context

from attrs import evolve, field, frozen

from tinker_ext.errors import APIConnectionError, APITimeoutError, InvalidInputError
from tinker_ext.rules.retry import BACKOFF_BASE, BACKOFF_CAP, RetryPolicy
from tinker_ext.runtime.connection.client_limits import Budget
from tinker_ext.types.argument_checks import check_bool, check_integer, check_number
from tinker_ext.types.records import Record

#: Defaults of releases 0.4.1 and 0.38.0: samples in flight, seconds, and a factor without effect.
MAX_CONNECTIONS = 1000
PROGRESS_TIMEOUT = 120 * 60.0
JITTER_FACTOR = 0.25


@frozen(kw_only=False)
class RetryConfig(Record):
    """How one sampling client retries, for `create_sampling_client(retry_config=...)`.

    Without it, the settings of `ServiceClient` decide: `retry_window`, `max_retries`,
    `future_timeout` and `max_samples_in_flight`, which also hold with it.

    Attributes:
        max_connections: samples of the client in flight; further ones wait. None for no limit but
            that of `ServiceClient`.
        progress_timeout: seconds without a finished sample after which the waiting samples fail
            with APITimeoutError, and the limit of retrying each request.
        retry_delay_base: seconds of the first retry's backoff.
        retry_delay_max: maximum backoff in seconds.
        jitter_factor: has no effect, because a delay is a random part of the whole backoff
            (`tinker_ext.rules.retry`), which spreads requests more than any factor.
        enable_retry_logic: False sends each request once.
        enable_stuck_detection: False disables `progress_timeout`.
        retryable_exceptions: has no effect, because `tinker_ext.rules.retry` decides by status code
            and kind of fault which failures may be temporary.
    """

    max_connections: int | None = field(
        default=MAX_CONNECTIONS,
        validator=check_integer("an integer >= 1 or None", lambda x: x >= 1, optional=True),
    )
    progress_timeout: float = field(
        default=PROGRESS_TIMEOUT, validator=check_number("a number > 0", lambda x: x > 0)
    )
    retry_delay_base: float = field(
        default=BACKOFF_BASE, validator=check_number("a number >= 0", lambda x: x >= 0)
    )
    retry_delay_max: float = field(
        default=BACKOFF_CAP, validator=check_number("a number >= 0", lambda x: x >= 0)
    )
    jitter_factor: float = field(
        default=JITTER_FACTOR, validator=check_number("a number", lambda _: True)
    )
    enable_retry_logic: bool = field(default=True, validator=check_bool)
    enable_stuck_detection: bool = field(default=True, validator=check_bool)
    retryable_exceptions: tuple[type[Exception], ...] = (TimeoutError, APIConnectionError)

    def policy(self, policy: RetryPolicy) -> RetryPolicy:
        """The policy of `ServiceClient` for a request, with these settings."""
        limit = self.progress_timeout if self.enable_stuck_detection else math.inf
        return evolve(
            policy,
            max_elapsed=limit,
            max_attempts=policy.max_attempts if self.enable_retry_logic else 1,
            backoff_base=self.retry_delay_base,
            backoff_cap=self.retry_delay_max,
        )


def check_retry_config(retry_config: RetryConfig | None) -> None:
    """Check the type of an argument.

    Raises:
        InvalidInputError: it is neither None nor a RetryConfig.
    """
    if not isinstance(retry_config, RetryConfig | None):
        raise InvalidInputError(
            f"expected a RetryConfig, got {type(retry_config).__name__}", where="retry_config"
        )


class SampleLimiter:
    """Limits the samples of one client as its `RetryConfig` says. On the event loop only."""

    def __init__(self, config: RetryConfig) -> None:
        self._config = config
        self._begin()

    def _begin(self) -> None:
        """Set up the state that belongs to this process and its loop."""
        limit = self._config.max_connections
        self._process = os.getpid()
        self._slots = None if limit is None else Budget(limit)
        self._timeouts: set[asyncio.Timeout] = set()
        self._last_progress = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Wait for a free slot and hold it for the block, which fails if no sample progresses.

        Raises:
            APITimeoutError: no sample of the client has finished for `progress_timeout` seconds.
        """
        if self._process != os.getpid():
            self._begin()
        async with nullcontext() if self._slots is None else self._slots.reserve(1):
            if not self._config.enable_stuck_detection:
                yield
                return
            if not self._timeouts:
                self._note_progress()
            try:
                async with asyncio.timeout(None) as timeout:
                    self._timeouts.add(timeout)
                    self._watch()
                    yield
                self._note_progress()
            except TimeoutError:
                if not timeout.expired():
                    raise
                raise APITimeoutError(
                    f"no sample has finished in {self._config.progress_timeout:g} s; requests "
                    "appear to be stuck (progress_timeout of the retry_config)",
                    operation="asample",
                ) from None
            finally:
                self._timeouts.discard(timeout)
                if not self._timeouts and self._timer is not None:
                    self._timer.cancel()
                    self._timer = None

    def _note_progress(self) -> None:
        self._last_progress = asyncio.get_running_loop().time()

    def _watch(self) -> None:
        """Start the timer that checks for progress, unless it runs."""
        if self._timer is None:
            due = self._last_progress + self._config.progress_timeout
            # In an empty context: the timer must not keep that of the first sample alive.
            self._timer = Context().run(asyncio.get_running_loop().call_at, due, self._check)

    def _check(self) -> None:
        now, self._timer = asyncio.get_running_loop().time(), None
        if now < self._last_progress + self._config.progress_timeout:
            self._watch()
            return
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(now)
