"""The credential a client sends: the user's key, a key from a command, or a token for the key.

===========================  =====================================================================
the server requires tokens   a token, for which a separate request exchanges the key
a command prints the keys    the printed key; the command runs once per client, and again when the
                             key is rejected, or expires if it is a token with an expiry
otherwise                    the user's key
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

#: Minimum seconds between two runs of the command after rejected keys. Ours: a key that never works
#: must not run the command at every request.
_MIN_RERUN_INTERVAL = 60.0
_NO_EXPIRY = Validity()


class CredentialSource:
    """The `transport.auth.KeySource` of a connection; on the event loop only."""

    def __init__(self, config: ClientConfig, clock: Clock = REAL_CLOCK) -> None:
        self._configured = self._fixed = config.api_key
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
        """Send tokens from now on, which `exchange` fetches, and fetch the first one.

        With `command_only` the server accepts no permanent keys: a configured key that is not a
        token is replaced by the command's (0.38.0's `credential_default_source`).

        Raises:
            ConfigurationError: the server requires a key from a command, and none is configured.
            APIError: the exchange failed. The caller may try again.
        """
        fixed = self._fixed
        if command_only and (fixed is None or read_times(fixed.reveal()) == _NO_EXPIRY):
            if self._command is None:
                raise ConfigurationError(
                    "this server accepts only short-lived keys: "
                    "set TINKER_CREDENTIAL_CMD to a command that prints one",
                    setting="credential_cmd",
                )
            self._fixed = None
        self._tokens = JwtCache(exchange, clock=self._clock)
        await self._tokens.current()

    async def key(self) -> Secret | None:
        """The user's key, or the key that the command printed.

        Raises:
            ConfigurationError: the key is an expired token, or the command failed.
        """
        fixed = self._fixed
        if fixed is not None:
            self._check(fixed, "the API key is an expired token; pass a new one")
            return fixed
        return None if self._command is None else await self._printed.current()

    async def current(self) -> Secret | None:
        """The credential to send now.

        Raises:
            ConfigurationError: as `key`.
            APIError: there is no token, because the exchange failed.
        """
        if self._tokens is not None:
            return await self._tokens.current()
        if self._fixed is self._checked and self._valid_until == math.inf:
            return self._fixed  # Checked before, and it never expires.
        return await self.key()

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        """A token other than the rejected one; None if the user's key itself is sent."""
        if self._tokens is not None:
            return await self._tokens.replacement_for(refused)
        if self._fixed is not None or self._command is None:
            return None
        return await self._printed.replacement_for(refused)

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        """A newly printed key for a rejected one; None if the command did not print `refused`.

        Also None within a minute of the command's last run, which evidently did not help.
        """
        age = self._printed.age_of(refused)
        if age is None or age < _MIN_RERUN_INTERVAL:
            return None
        return await self._printed.replacement_for(refused)

    def secrets(self) -> tuple[Secret, ...]:
        """The key, and the current and recent tokens."""
        configured = () if self._configured is None else (self._configured,)
        tokens = () if self._tokens is None else self._tokens.secrets()
        return (*configured, *self._printed.secrets(), *tokens)

    async def close(self) -> None:
        """Stop all background tasks."""
        await self._printed.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def _print(self) -> Secret:
        assert self._command is not None
        key = await printed_key(self._command)
        self._check(key, "the command in TINKER_CREDENTIAL_CMD printed an expired token")
        return key

    def _check(self, key: Secret, message: str) -> None:
        """Raise ConfigurationError with this message if the key is an expired token."""
        now = self._clock.wall()
        if key is self._checked and now < self._valid_until:
            return
        if has_expired(key.reveal(), now):
            raise ConfigurationError(message, setting="api_key")
        expires = read_times(key.reveal()).expires
        self._checked, self._valid_until = key, math.inf if expires is None else expires
