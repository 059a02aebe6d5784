"""The first question to a server: what it speaks, and how it wants its clients to behave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinker_ext import tracing
from tinker_ext.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    TinkerError,
)
from tinker_ext.protocol.error_shapes import no_such_operation
from tinker_ext.protocol.flags import DynamicFlags, Flags, at_least, release_of
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol, from_client_config
from tinker_ext.rules.retry import PROXY_STATUSES, parse_should_retry
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.transport.gateway import Gateway

# How often a question may come to nothing before the server is taken for one that has no answer.
# Ours; each is asked within an attempt of some call, so they are as far apart as those.
MOST_ATTEMPTS = 3
# Those that keep away the call as well: it is paused, and both are tried again.
_PAUSING = frozenset({402, 429})
# Those that say nothing of the server: something on the way, or trouble that passes.
_PASSING = PROXY_STATUSES | {408, 409, 425, 500}


class Negotiator:
    """Asks once, and shares the answer with all that ask meanwhile.

    A server that has no `client/config` speaks release 0.4.1's dialect, until a refusal teaches
    better. `learn` is given the dialect; `admit` what a server that knows flags says of its keys,
    before anything else is asked of it.

    Attributes:
        made: nothing is to be asked.
        told: the server has said what it speaks. One that was asked and has not is taken for one
            that has no such question.
    """

    def __init__(
        self,
        learn: Callable[[ServerProtocol], None],
        on_flags: Callable[[Gateway, Flags], Awaitable[None]],
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._learn = learn
        self._on_flags = on_flags
        self._clock = clock
        self._asking: asyncio.Task[None] | None = None
        self._attempts = 0
        self._refresh_at: float | None = None
        self._required = False
        self.done = self.has_responded = False

    async def ensure(self, gateway: Gateway) -> None:
        """Return when the server has been asked, or could not be, which is then tried again.

        Raises:
            APIConnectionError, RateLimitError, BillingError: nothing else would get through either.
            APIError: after `insist`, whatever it is that may pass.
        """
        if self.done:
            return
        if self._asking is None or self._asking.done():
            self._asking = tasks.create_shared_task(self._ask(gateway))
        with tracing.stage(tracing.Stage.CONNECT):
            await asyncio.shield(self._asking)

    async def _ask(self, gateway: Gateway) -> None:
        try:
            answer = await gateway.get_client_config()
        except APIError as error:
            self._on_failure(error)
            return
        if not isinstance(answer, Mapping):
            self._assume_baseline()
            return
        self.has_responded, self._required = True, False
        await self._on_flags(gateway, Flags.read(answer))
        dynamic, has_any = None, False
        if at_least(release_of(answer), "0.25.0"):
            dynamic, has_any = await _dynamic(gateway)
        self._done(from_client_config(answer, (dynamic or {}) if has_any else None))

    def _on_failure(self, error: APIError) -> None:
        status, wish = None, None
        if isinstance(error, APIStatusError):
            status, wish = error.status_code, parse_should_retry(error.headers)
        unreachable = isinstance(error, APIConnectionError) and not isinstance(
            error, APITimeoutError
        )
        passing = status is None or status in _PASSING or wish is True
        if unreachable or status in _PAUSING or (passing and self._required):
            raise error
        self._attempts += 1
        if not passing or self._attempts >= MOST_ATTEMPTS:
            self._assume_baseline()

    def _assume_baseline(self) -> None:
        if self._required:  # It was so before; what its refusals have taught since stays.
            self.done, self._required = True, False
        else:
            self._done(BASELINE)

    def require(self) -> None:
        """Ask again, and send nothing before that comes to something; unless the server has told.

        For one that refuses what a server would that has no such question.
        """
        if not self.has_responded:
            self.done, self._required = False, True

    def _done(self, dialect: ServerProtocol) -> None:
        self.done = True
        if dialect.flags is not None and dialect.supports("get_client_dynamic_config"):
            self._schedule_refresh(dialect.dynamic)
        self._learn(dialect)

    def _schedule_refresh(self, dynamic: DynamicFlags) -> None:
        self._refresh_at = self._clock.now() + dynamic.refresh_seconds

    def refresh_due(self) -> bool:
        """Whether it is time to ask for the dynamic flags again. True once each time."""
        if self._refresh_at is None or self._clock.now() < self._refresh_at:
            return False
        self._refresh_at = None
        return True

    async def close(self) -> None:
        """End the question that may be under way."""
        await tasks.cancel_and_wait(self._asking)

    async def refresh(self, gateway: Gateway, known: DynamicFlags) -> DynamicFlags:
        """The dynamic flags of now; those known where they can't be had."""
        answer, _ = await _dynamic(gateway)
        if answer is not None:
            known = DynamicFlags.read(answer)
        self._schedule_refresh(known)
        return known


async def _dynamic(gateway: Gateway) -> tuple[Mapping[str, Any] | None, bool]:
    """The dynamic flags, None where they can't be had now; and whether the server may have any.

    That it fails is no trouble of anybody's: they are asked for again when that is due.
    """
    try:
        answer = await gateway.get_client_dynamic_config()
    except TinkerError as error:
        log.debug("no dynamic configuration: %s", error)
        missing = isinstance(error, APIStatusError) and no_such_operation(
            error.status_code, error.body
        )
        return None, not missing
    return answer if isinstance(answer, Mapping) else None, True
