"""A key that a command of the user's prints."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

from tinker_ext import settings
from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.secret import Secret

#: Seconds a command may take. Ours; 0.38.0 waits for ever.
LIMIT = 60.0
#: Seconds that a command which was ended is given to be gone.
_GONE = 1.0
#: Bytes it may print; a header's value may seldom be longer.
_MOST = 65_536


async def printed_key(command: Secret, limit: float = LIMIT) -> Secret:
    """Run a shell command and return what it prints as a key.

    Its standard error is not looked at, nor shown. Once the limit is over, or nobody waits any
    more, it is ended with all that it has started.

    Raises:
        ConfigurationError: it fails, takes too long, or prints nothing that can be a key. The
            message has neither the command nor what it printed.
    """
    process, printing = await _start(command)
    try:
        async with asyncio.timeout(limit):
            await printing.over.wait()
    except TimeoutError:
        raise _refused(f"was not done after {limit:g} s") from None
    finally:
        await _end(process, printing)
    return _read(bytes(printing.printed), process.get_returncode())


async def _start(command: Secret) -> tuple[asyncio.SubprocessTransport, _Printing]:
    loop = asyncio.get_running_loop()
    starting = loop.create_task(
        loop.subprocess_shell(
            _Printing,
            command.reveal(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except OSError as error:
        raise _refused(f"can't be started: {type(error).__name__}") from None
    except asyncio.CancelledError:
        await _end(*await starting)  # It may run already, though nobody knows it yet.
        raise


def _read(printed: bytes, status: int | None) -> Secret:
    if len(printed) > _MOST:
        raise _refused(f"printed more than {_MOST} bytes")
    if status != 0:
        raise _refused(f"failed with status {status}")
    try:
        return settings.read_secret(printed.decode("utf-8", "replace"))
    except ValueError as error:
        raise _refused(f"printed no key: {error}") from None


class _Printing(asyncio.SubprocessProtocol):
    """Collects what is printed, until the process is gone and nobody holds its output any more."""

    def __init__(self) -> None:
        self.printed = bytearray()
        self.exited = asyncio.Event()
        self.over = asyncio.Event()
        self.complete = False

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if len(self.printed) <= _MOST:
            self.printed += data
        else:
            self.over.set()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.complete = True
        self.over.set()


async def _end(process: asyncio.SubprocessTransport, printing: _Printing) -> None:
    """End the command, and what of its group is left, unless it has ended by itself."""
    if not printing.complete:
        with suppress(ProcessLookupError, PermissionError):  # Nothing of it is left.
            if hasattr(os, "killpg"):
                os.killpg(process.get_pid(), signal.SIGKILL)
            else:
                process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GONE):
                await printing.exited.wait()
    process.close()


def _refused(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"the command in TINKER_CREDENTIAL_CMD {what}", setting="credential_cmd"
    )
