"""Caches a token: fetches it once for all callers, refreshes it early, replaces it if rejected."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.errors import AuthenticationError, TinkerError
from tinker_ext.rules import token_validity as rules
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.concurrency.log_throttle import LogThrottle
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.redaction.secret import Secret

#: Maximum seconds to wait for a new token, and then until the next fetch, while the current one is
#: valid. Ours: a client that still holds a valid token must not block on an unresponsive server at
#: every request.
MAX_WAIT = 10.0
#: Past tokens that are still redacted, because a server may echo them.
_REMEMBERED = 8


@frozen
class _Cached:
    """A token, the monotonic time of its receipt, and the seconds it is valid from then on."""

    token: Secret
    received: float
    lifetime: float | None


class JwtCache:
    """Returns tokens from one cache; on the event loop only.

    `fetch` makes one attempt to get a token; there is at most one fetch at a time. With `ahead`, a
    task refreshes the token after about half its lifetime, until `close`. A token with an unknown
    lifetime is used for a minute, or with `lasting` until it is rejected.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Secret]],
        *,
        clock: Clock = REAL_CLOCK,
        ahead: bool = True,
        lasting: bool = False,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._throttle = LogThrottle(clock=clock)
        self._ahead = ahead
        self._lasting = lasting
        self._cached: _Cached | None = None
        self._last_failure = float("-inf")
        self._fetching: asyncio.Task[_Cached] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._closed = False
        self._known: deque[Secret] = deque(maxlen=_REMEMBERED)

    def secrets(self) -> tuple[Secret, ...]:
        """The current token and recent ones."""
        return tuple(self._known)

    async def current(self) -> Secret:
        """A token that is valid for a while, or about to expire if no new one can be fetched.

        Raises:
            AuthenticationError: the server rejects the key.
            TinkerError: the fetch failed, and the last token has expired.
        """
        cached = self._cached
        if cached is not None and self._is_usable(cached):
            return cached.token
        try:
            async with asyncio.timeout(MAX_WAIT if self._is_alive(cached) else None):
                return (await self._fetch_shared()).token
        except AuthenticationError:
            raise  # The key behind the cached token is no longer accepted.
        except (TinkerError, TimeoutError) as error:
            if cached is None or cached is not self._cached or not self._is_alive(cached):
                raise
            self._last_failure = self._clock.now()
            if self._throttle.should_log("late"):
                log.warning("no new token yet; the current one stays in use: %s", error)
            return cached.token

    async def replacement_for(self, refused: Secret | None) -> Secret:
        """A token other than a rejected one; fetched once for all callers with the same token.

        Raises:
            TinkerError: the fetch failed.
        """
        cached = self._cached
        if cached is not None and cached.token != refused:
            return cached.token
        self._cached = None
        return (await self._fetch_shared()).token

    def age_of(self, token: Secret | None) -> float | None:
        """Seconds since a token was received; None if it is not the current one."""
        cached = self._cached
        return None if cached is None or cached.token != token else self._age(cached)

    async def close(self) -> None:
        """Stop all background tasks. `current` still returns tokens afterwards."""
        self._closed = True
        await tasks.cancel_and_wait(self._refreshing, self._fetching)

    def _is_usable(self, cached: _Cached) -> bool:
        if (self._lasting and cached.lifetime is None) or rules.is_usable(
            self._age(cached), cached.lifetime
        ):
            return True
        return self._clock.now() - self._last_failure < MAX_WAIT and self._is_alive(cached)

    def _is_alive(self, cached: _Cached | None) -> bool:
        return cached is not None and rules.is_alive(self._age(cached), cached.lifetime)

    def _age(self, cached: _Cached) -> float:
        return self._clock.now() - cached.received

    async def _fetch_shared(self) -> _Cached:
        """The token of the pending fetch, or of one started now."""
        if self._fetching is None or self._fetching.done():
            self._fetching = tasks.create_shared_task(self._fetch_once())
        return await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> _Cached:
        token = await self._fetch()
        if token not in self._known:
            self._known.append(token)
        lifetime = rules.lifetime(rules.read_times(token.reveal()), self._clock.wall())
        self._cached = cached = _Cached(token, self._clock.now(), lifetime)
        running = self._refreshing is not None and not self._refreshing.done()
        if self._ahead and not self._closed and not running:
            self._refreshing = tasks.create_detached_task(self._refresh_periodically())
        return cached

    async def _refresh_periodically(self) -> None:
        """Refresh the token until the server rejects the key and the last token has expired."""
        failing = False
        while True:
            cached = self._cached
            await self._clock.sleep(rules.RETRY_AFTER if failing else self._refresh_delay(cached))
            if self._cached is not cached and self._cached is not None:
                continue  # It was refreshed meanwhile.
            try:
                await self._fetch_shared()
                failing = False
            except Exception as error:  # Any error may be gone at the next attempt.
                if isinstance(error, AuthenticationError) and not self._is_alive(self._cached):
                    log.warning("token refresh stopped: %s", error)
                    return
                write = log.debug if failing else log.warning
                write("token refresh failed, retrying in %g s: %s", rules.RETRY_AFTER, error)
                failing = True

    def _refresh_delay(self, cached: _Cached | None) -> float:
        """Seconds until a token should be refreshed."""
        if cached is None:
            return rules.RETRY_AFTER
        delay = rules.refresh_delay(cached.lifetime, self._clock.jitter())
        return max(rules.MIN_DELAY, delay - self._age(cached))
