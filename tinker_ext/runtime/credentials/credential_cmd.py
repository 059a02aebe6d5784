"""A key that a command of the user's prints."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from subprocess import DEVNULL, PIPE

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError
from tinker_ext.redaction.printable import printable
from tinker_ext.redaction.redactor import redact
from tinker_ext.redaction.secret import SHORTEST, Secret

#: Seconds a command may take. Ours; 0.38.0 waits for ever.
LIMIT = 60.0
#: Seconds that a command which was ended is given to be gone.
_GONE = 1.0
#: Seconds that its output is read after it has ended, if a process it started holds the pipe open.
#: Its own output is in the pipe by then. Ours.
_DRAIN = 0.25
#: Bytes it may print; a header's value may seldom be longer.
_MOST = 65_536
#: Characters of its standard error, the last ones, that are shown if it fails.
_SHOWN_ERROR = 300
# The command is in the environment, which only its own user can read; arguments are visible to
# every user of the machine.
_VARIABLE = "TINKER_CREDENTIAL_CMD"
_RUN = f"%{_VARIABLE}%" if os.name == "nt" else f'eval "${_VARIABLE}"'
# Characters of a word in the command that may be a secret.
_SECRET_WORD = 16


async def printed_key(command: Secret, limit: float = LIMIT) -> Secret:
    """Run a shell command and return what it prints as a key.

    It is done once the command itself has ended; processes that it leaves running keep running.
    At the limit, or if the caller is cancelled, it is killed with all that it has started.

    Raises:
        ConfigurationError: it fails, takes too long, or prints nothing that can be a key. The
            message has its standard error, redacted, and neither the command nor its output.
    """
    process, printing = await _start(command)
    try:
        async with asyncio.timeout(limit):
            await printing.ended.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                await printing.closed.wait()
    except TimeoutError:
        raise _refused(f"was not done after {limit:g} s") from None
    finally:
        await _end(process, printing)
    return _read(command, printing, process.get_returncode())


async def _start(command: Secret) -> tuple[asyncio.SubprocessTransport, _Printing]:
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
        raise _refused(f"can't be started: {type(error).__name__}") from None
    except asyncio.CancelledError:
        await _end(*await starting)  # It may run already, though nobody knows it yet.
        raise


def _read(command: Secret, printing: _Printing, status: int | None) -> Secret:
    if len(printing.output) > _MOST:
        raise _refused(f"printed more than {_MOST} bytes")
    if status != 0:
        text = _error_text(command, printing)
        raise _refused(f"failed with status {status}{f': {text}' if text else ''}")
    try:
        return parsers.read_secret(printing.output.decode("utf-8", "replace"))
    except ValueError as error:
        fault = str(error)
    raise _refused(f"printed no key: {fault}")


def _error_text(command: Secret, printing: _Printing) -> str:
    """The end of the standard error, without words of the command or of its output."""
    output = printing.output.decode("utf-8", "replace").split()
    words = [word for word in re.split(r"[\s'\"=]+", command.reveal()) if len(word) >= _SECRET_WORD]
    held = [word for word in (*output, *words) if len(word) >= SHORTEST]
    text = redact(printing.errors.decode("utf-8", "replace"), held)
    return printable(" ".join(text.split()))[-_SHOWN_ERROR:]


class _Printing(asyncio.SubprocessProtocol):
    """Collects what a command prints, until it has ended or has printed too much."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.ended = asyncio.Event()
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self.errors = (self.errors + data)[-_MOST:]  # Commands say last why they failed.
            return
        self.output += data[: _MOST + 1 - len(self.output)]
        if len(self.output) > _MOST:
            self.ended.set()
            self.closed.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        self.closed.set()


async def _end(process: asyncio.SubprocessTransport, printing: _Printing) -> None:
    """Kill the command and the rest of its group, unless it has ended by itself."""
    if not printing.exited.is_set():
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
