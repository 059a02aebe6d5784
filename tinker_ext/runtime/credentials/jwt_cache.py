"""A token: fetched once for everybody, renewed before it ends, replaced when it is refused."""

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

#: Seconds that a new token is waited for, and after that is not asked for, while the last one is
#: alive. Ours: who has a token shall not wait for a server that does not answer, at each request.
MAX_WAIT = 10.0
#: Tokens that are remembered as secrets when they are used no more: a server may say them back.
_REMEMBERED = 8


@frozen
class _Cached:
    """A token, when it came (by the clock that only grows), and for how long it is good."""

    token: Secret
    received: float
    lifetime: float | None


class JwtCache:
    """Whoever needs a token asks here; on the event loop only.

    `fetch` makes one attempt to get a token. However many wait for one, there is one fetch at a
    time. With `ahead`, a task renews the token at about half its life, until `close`. A token of
    unknown life is kept for a minute, or with `lasting` until it is refused.
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
        self._held: _Cached | None = None
        self._failed = float("-inf")
        self._fetching: asyncio.Task[_Cached] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._closed = False
        self._known: deque[Secret] = deque(maxlen=_REMEMBERED)

    def secrets(self) -> tuple[Secret, ...]:
        """The token of now and those before it."""
        return tuple(self._known)

    async def current(self) -> Secret:
        """A token that is good for a while; one at the end of its life if no other is to be had.

        Raises:
            AuthenticationError: the server refuses to give another.
            TinkerError: why there is no other, where the last one is over.
        """
        held = self._held
        if held is not None and self._is_usable(held):
            return held.token
        try:
            async with asyncio.timeout(MAX_WAIT if self._is_alive(held) else None):
                return (await self._fetched()).token
        except AuthenticationError:
            raise  # What the last token stands for is no longer accepted.
        except (TinkerError, TimeoutError) as error:
            if held is None or held is not self._held or not self._is_alive(held):
                raise
            self._failed = self._clock.now()
            if self._throttle.should_log("late"):
                log.warning("there is no new token yet, the last one is used on: %s", error)
            return held.token

    async def replacement_for(self, refused: Secret | None) -> Secret:
        """Another token than one that the server refused; fetched once for all who have that one.

        Raises:
            TinkerError: there is none, and why.
        """
        held = self._held
        if held is not None and held.token != refused:
            return held.token
        self._held = None
        return (await self._fetched()).token

    def held_for(self, token: Secret | None) -> float | None:
        """Seconds since a token was received; None if it is not the current one."""
        held = self._held
        return None if held is None or held.token != token else self._age(held)

    async def close(self) -> None:
        """End what goes on in the background; a token is still given to whoever asks."""
        self._closed = True
        await tasks.cancel_and_wait(self._renewing, self._fetching)

    def _is_usable(self, held: _Cached) -> bool:
        if (self._lasting and held.lifetime is None) or rules.is_usable(
            self._age(held), held.lifetime
        ):
            return True
        return self._clock.now() - self._failed < MAX_WAIT and self._is_alive(held)

    def _is_alive(self, held: _Cached | None) -> bool:
        return held is not None and rules.is_alive(self._age(held), held.lifetime)

    def _age(self, held: _Cached) -> float:
        return self._clock.now() - held.received

    async def _fetched(self) -> _Cached:
        """The outcome of the fetch under way, or of one begun now."""
        if self._fetching is None or self._fetching.done():
            self._fetching = tasks.create_shared_task(self._fetch_once())
        return await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> _Cached:
        token = await self._fetch()
        if token not in self._known:
            self._known.append(token)
        lifetime = rules.lifetime(rules.read_times(token.reveal()), self._clock.wall())
        self._held = held = _Cached(token, self._clock.now(), lifetime)
        if self._ahead and not self._closed and (self._renewing is None or self._renewing.done()):
            self._renewing = tasks.create_detached_task(self._renew_for_ever())
        return held

    async def _renew_for_ever(self) -> None:
        """Renew the token, until the server refuses and there is none left to use."""
        failing = False
        while True:
            held = self._held
            await self._clock.sleep(rules.RETRY_AFTER if failing else self._until_due(held))
            if self._held is not held and self._held is not None:
                continue  # It was renewed in the meantime.
            try:
                await self._fetched()
                failing = False
            except Exception as error:  # Whatever it is, the next time may go better.
                if isinstance(error, AuthenticationError) and not self._is_alive(self._held):
                    log.warning("the token is renewed no more: %s", error)
                    return
                say = log.debug if failing else log.warning
                say("the token can't be renewed, again in %g s: %s", rules.RETRY_AFTER, error)
                failing = True

    def _until_due(self, held: _Cached | None) -> float:
        """Seconds until a token should be renewed."""
        if held is None:
            return rules.RETRY_AFTER
        delay = rules.refresh_delay(held.lifetime, self._clock.jitter())
        return max(rules.MIN_DELAY, delay - self._age(held))
