"""The credential a client sends: the user's key, a key from a command, or a token for the key.

===========================  =====================================================================
the server requires tokens   a token, for which a separate request exchanges the key
a command prints the keys    the printed key; the command runs once per client, and again when the
                             key is rejected, or expires if it is a token with an expiry
otherwise                    the user's key
===========================  =====================================================================
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from subprocess import DEVNULL, PIPE

from attrs import frozen

from tinker_ext.config import ClientConfig, parsers
from tinker_ext.errors import AuthenticationError, ConfigurationError, TinkerError
from tinker_ext.redaction.redactor import printable, redact
from tinker_ext.redaction.secret import SHORTEST, Secret
from tinker_ext.rules import token_validity as rules
from tinker_ext.rules.token_validity import Validity, has_expired, read_times
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.tasks import LogThrottle
from tinker_ext.timeouts import REAL_CLOCK, Clock
from tinker_ext.tracing import log

#: Minimum seconds between two runs of the command after rejected keys. Ours: a key that never works
#: must not run the command at every request.
_MIN_RERUN_INTERVAL = 60.0
_NO_EXPIRY = Validity()


class CredentialSource:
    """The `transport.auth.KeySource` of a connection; on the event loop only.

    Attributes:
        lasting: the credential if it was checked and never expires; the others are awaited.
    """

    lasting: Secret | None = None

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
        self._tokens, self.lasting = JwtCache(exchange, clock=self._clock), None
        await self._tokens.current()

    async def key(self) -> Secret | None:
        """The user's key, or the key that the command printed.

        Raises:
            ConfigurationError: the key is an expired token, or the command failed.
        """
        fixed = self._fixed
        if fixed is not None:
            self._check(fixed, "the API key is an expired token; pass a new one")
            if self._valid_until == math.inf and self._tokens is None:
                self.lasting = fixed
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


#: Seconds a command may take. Ours; 0.38.0 waits without a limit.
COMMAND_LIMIT = 60.0
#: Seconds to wait for a killed command to exit.
_KILL_TIMEOUT = 1.0
#: Seconds to read output after the command's exit if a child process of it keeps the pipe open. The
#: command's own output is in the pipe by then. Ours.
_DRAIN_TIMEOUT = 0.25
#: Maximum bytes of output; few servers accept longer header values.
_MAX_OUTPUT = 65_536
#: Characters of standard error, counted from its end, that the message of a failure contains.
_SHOWN_ERROR = 300
# The command is passed in the environment, which only the same user can read; any user of the
# machine can read arguments.
_VARIABLE = "TINKER_CREDENTIAL_CMD"
_RUN = f"%{_VARIABLE}%" if os.name == "nt" else f'eval "${_VARIABLE}"'
# Minimum characters of a word in the command that may be a secret.
_SECRET_WORD = 16


async def printed_key(command: Secret, limit: float = COMMAND_LIMIT) -> Secret:
    """Run a shell command and return its output as a key.

    Returns once the command itself has exited; processes that it leaves running keep running. At
    the limit, or if the caller is cancelled, the command and its child processes are killed.

    Raises:
        ConfigurationError: the command failed, took too long, or its output is not a valid key.
            The message contains its redacted standard error, but not the command or its output.
    """
    process, printing = await _start_command(command)
    try:
        async with asyncio.timeout(limit):
            await printing.finished.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                await printing.closed.wait()
    except TimeoutError:
        raise _command_error(f"did not finish within {limit:g} s") from None
    finally:
        await _stop_command(process, printing)
    return _read_output(command, printing, process.get_returncode())


async def _start_command(command: Secret) -> tuple[asyncio.SubprocessTransport, _Printing]:
    loop = asyncio.get_running_loop()
    starting = loop.create_task(
        loop.subprocess_shell(
            _Printing,
            _RUN,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            env={**os.environ, _VARIABLE: command.reveal()},
        )
    )
    try:
        return await asyncio.shield(starting)
    except OSError as error:
        raise _command_error(f"can't be started: {type(error).__name__}") from None
    except asyncio.CancelledError:
        await _stop_command(*await starting)  # The process may already be running.
        raise


def _read_output(command: Secret, printing: _Printing, status: int | None) -> Secret:
    if len(printing.output) > _MAX_OUTPUT:
        raise _command_error(f"printed more than {_MAX_OUTPUT} bytes")
    if status != 0:
        text = _error_text(command, printing)
        raise _command_error(f"failed with status {status}{f': {text}' if text else ''}")
    if not printing.output.strip():
        raise _command_error("printed no key: the output is empty")
    try:
        return parsers.read_secret(printing.output.decode("utf-8", "replace"))
    except ValueError:
        pass  # Not raised here, because the frames of this error hold the output.
    raise _command_error(
        "printed an invalid key: the output contains whitespace, control or non-ASCII characters"
    )


def _error_text(command: Secret, printing: _Printing) -> str:
    """The end of the standard error, without secrets from the command or its output."""
    output = printing.output.decode("utf-8", "replace").split()
    words = [word for word in re.split(r"[\s'\"=]+", command.reveal()) if len(word) >= _SECRET_WORD]
    secrets = [word for word in (*output, *words) if len(word) >= SHORTEST]
    text = redact(printing.errors.decode("utf-8", "replace"), secrets)
    return printable(" ".join(text.split()))[-_SHOWN_ERROR:]


class _Printing(asyncio.SubprocessProtocol):
    """Collects a command's output until the command has exited or printed too much."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.finished = asyncio.Event()
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self.errors = (self.errors + data)[-_MAX_OUTPUT:]  # The reason usually comes last.
            return
        self.output += data[: _MAX_OUTPUT + 1 - len(self.output)]
        if len(self.output) > _MAX_OUTPUT:
            self.finished.set()
            self.closed.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.finished.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.finished.set()
        self.closed.set()


async def _stop_command(process: asyncio.SubprocessTransport, printing: _Printing) -> None:
    """Kill the command and its process group, unless the command has exited."""
    if not printing.exited.is_set():
        with suppress(ProcessLookupError, PermissionError):  # It has exited meanwhile.
            if hasattr(os, "killpg"):
                os.killpg(process.get_pid(), signal.SIGKILL)
            else:
                process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_TIMEOUT):
                await printing.exited.wait()
    process.close()


def _command_error(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the command in TINKER_CREDENTIAL_CMD {problem}", setting="credential_cmd"
    )
