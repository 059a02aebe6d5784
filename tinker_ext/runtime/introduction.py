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
from tinker_ext.rules.dialect import FIRST, Dialect, introduced
from tinker_ext.rules.flags import DynamicFlags, Flags, at_least, release_of
from tinker_ext.rules.refusals import no_such_operation
from tinker_ext.rules.retry import PROXY_STATUSES, retry_wish
from tinker_ext.runtime import tasks
from tinker_ext.runtime.clock import REAL_CLOCK, Clock
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


class Introduction:
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
        learn: Callable[[Dialect], None],
        admit: Callable[[Gateway, Flags], Awaitable[None]],
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._learn = learn
        self._admit = admit
        self._clock = clock
        self._asking: asyncio.Task[None] | None = None
        self._attempts = 0
        self._renewal: float | None = None
        self._insists = False
        self.made = self.told = False

    async def make(self, gateway: Gateway) -> None:
        """Return when the server has been asked, or could not be, which is then tried again.

        Raises:
            APIConnectionError, RateLimitError, BillingError: nothing else would get through either.
            APIError: after `insist`, whatever it is that may pass.
        """
        if self.made:
            return
        if self._asking is None or self._asking.done():
            self._asking = tasks.start_shared(self._ask(gateway))
        with tracing.stage(tracing.Stage.CONNECT):
            await asyncio.shield(self._asking)

    async def _ask(self, gateway: Gateway) -> None:
        try:
            answer = await gateway.get_client_config()
        except APIError as error:
            self._not_told(error)
            return
        if not isinstance(answer, Mapping):
            self._taken_for_first()
            return
        self.told, self._insists = True, False
        await self._admit(gateway, Flags.read(answer))
        dynamic, has_any = None, False
        if at_least(release_of(answer), "0.25.0"):
            dynamic, has_any = await _dynamic(gateway)
        self._done(introduced(answer, (dynamic or {}) if has_any else None))

    def _not_told(self, error: APIError) -> None:
        status, wish = None, None
        if isinstance(error, APIStatusError):
            status, wish = error.status_code, retry_wish(error.headers)
        unreachable = isinstance(error, APIConnectionError) and not isinstance(
            error, APITimeoutError
        )
        passing = status is None or status in _PASSING or wish is True
        if unreachable or status in _PAUSING or (passing and self._insists):
            raise error
        self._attempts += 1
        if not passing or self._attempts >= MOST_ATTEMPTS:
            self._taken_for_first()

    def _taken_for_first(self) -> None:
        if self._insists:  # It was so before; what its refusals have taught since stays.
            self.made, self._insists = True, False
        else:
            self._done(FIRST)

    def insist(self) -> None:
        """Ask again, and send nothing before that comes to something; unless the server has told.

        For one that refuses what a server would that has no such question.
        """
        if not self.told:
            self.made, self._insists = False, True

    def _done(self, dialect: Dialect) -> None:
        self.made = True
        if dialect.flags is not None and dialect.has("get_client_dynamic_config"):
            self._note_renewal(dialect.dynamic)
        self._learn(dialect)

    def _note_renewal(self, dynamic: DynamicFlags) -> None:
        self._renewal = self._clock.now() + dynamic.refresh_seconds

    def due(self) -> bool:
        """Whether it is time to ask for the dynamic flags again. True once each time."""
        if self._renewal is None or self._clock.now() < self._renewal:
            return False
        self._renewal = None
        return True

    async def close(self) -> None:
        """End the question that may be under way."""
        await tasks.end(self._asking)

    async def renew(self, gateway: Gateway, known: DynamicFlags) -> DynamicFlags:
        """The dynamic flags of now; those known where they can't be had."""
        answer, _ = await _dynamic(gateway)
        if answer is not None:
            known = DynamicFlags.read(answer)
        self._note_renewal(known)
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
