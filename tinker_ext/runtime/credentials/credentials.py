"""What a client proves itself with: the user's key, a command's, or a token the server gave for it.

===========================  =====================================================================
the server exchanges tokens  a token, which a request of its own gets for the key
a command makes the keys     what it printed; run once per client, and again when that is refused,
                             or at the end of its life if it is a token that says when
otherwise                    the key
===========================  =====================================================================
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tinker_ext.errors import ConfigurationError
from tinker_ext.rules.token_validity import Validity, has_expired, read_times
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.credentials.credential_cmd import printed_key
from tinker_ext.runtime.credentials.jwt_cache import JwtCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.config import ClientConfig
    from tinker_ext.redaction.secret import Secret

#: Seconds for which a printed key is not printed anew, though the server refuses it. Ours: a key
#: that is wrong from the start must not have the command run at every request.
_TRUSTED = 60.0
_ENDLESS = Validity()


class CredentialSource:
    """The `transport.auth.KeySource` of a connection; on the event loop only."""

    def __init__(self, config: ClientConfig, clock: Clock = REAL_CLOCK) -> None:
        self._given = self._fixed = config.api_key
        self._command = config.credential_cmd
        self._clock = clock
        self._printed = JwtCache(self._print, clock=clock, ahead=False, lasting=True)
        self._tokens: JwtCache | None = None
        # The last key that was checked, and until when that is valid.
        self._checked: Secret | None = None
        self._valid_until = -math.inf

    async def enable_exchange(
        self, exchange: Callable[[], Awaitable[Secret]], *, command_only: bool = False
    ) -> None:
        """Send tokens from now on, which `exchange` gets, and get the first one.

        With `command_only` the server wants no lasting keys: the command's takes the place of one
        that is no token (0.38.0's `credential_default_source`).

        Raises:
            ConfigurationError: the server wants such a key, and there is no command.
            APIError: there is no token, and why; call this again, then.
        """
        fixed = self._fixed
        if command_only and (fixed is None or read_times(fixed.reveal()) == _ENDLESS):
            if self._command is None:
                raise ConfigurationError(
                    "this server takes keys that are made anew each time, and no lasting one: "
                    "set TINKER_CREDENTIAL_CMD to a command that prints one",
                    setting="credential_cmd",
                )
            self._fixed = None
        self._tokens = JwtCache(exchange, clock=self._clock)
        await self._tokens.current()

    async def key(self) -> Secret | None:
        """The user's key, or what the command printed.

        Raises:
            ConfigurationError: it is a token whose life is over; the command failed.
        """
        if self._fixed is not None:
            self._check(self._fixed, "the API key is a token whose life is over: pass a new one")
            return self._fixed
        return None if self._command is None else await self._printed.current()

    async def current(self) -> Secret | None:
        """What to send now.

        Raises:
            ConfigurationError: as `key`.
            APIError: there is no token, and why.
        """
        return await (self.key() if self._tokens is None else self._tokens.current())

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        """Another token than the refused one; None where the user's key is sent itself."""
        if self._tokens is not None:
            return await self._tokens.replacement_for(refused)
        if self._fixed is not None or self._command is None:
            return None
        return await self._printed.replacement_for(refused)

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        """What the command prints instead of a key that was refused; None for any other key.

        Also None within a minute of the last run, which then did not help.
        """
        age = self._printed.held_for(refused)
        return (
            None if age is None or age < _TRUSTED else await self._printed.replacement_for(refused)
        )

    def secrets(self) -> tuple[Secret, ...]:
        """The key, and the tokens of now and shortly before."""
        given = () if self._given is None else (self._given,)
        tokens = () if self._tokens is None else self._tokens.secrets()
        return (*given, *self._printed.secrets(), *tokens)

    async def close(self) -> None:
        """End what goes on in the background."""
        await self._printed.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def _print(self) -> Secret:
        assert self._command is not None
        key = await printed_key(self._command)
        self._check(key, "the command in TINKER_CREDENTIAL_CMD printed a token whose life is over")
        return key

    def _check(self, key: Secret, otherwise: str) -> None:
        now = self._clock.wall()
        if key is self._checked and now < self._valid_until:
            return
        if has_expired(key.reveal(), now):
            raise ConfigurationError(otherwise, setting="api_key")
        expires = read_times(key.reveal()).expires
        self._checked, self._valid_until = key, math.inf if expires is None else expires
