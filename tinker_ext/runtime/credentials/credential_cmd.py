"""Runs the user's credential command and reads the key it prints."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from subprocess import DEVNULL, PIPE

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError
from tinker_ext.redaction.redactor import printable, redact
from tinker_ext.redaction.secret import SHORTEST, Secret

#: Seconds a command may take. Ours; 0.38.0 waits without a limit.
LIMIT = 60.0
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


async def printed_key(command: Secret, limit: float = LIMIT) -> Secret:
    """Run a shell command and return its output as a key.

    Returns once the command itself has exited; processes that it leaves running keep running. At
    the limit, or if the caller is cancelled, the command and its child processes are killed.

    Raises:
        ConfigurationError: the command failed, took too long, or its output is not a valid key.
            The message contains its redacted standard error, but not the command or its output.
    """
    process, printing = await _start(command)
    try:
        async with asyncio.timeout(limit):
            await printing.finished.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                await printing.closed.wait()
    except TimeoutError:
        raise _error(f"did not finish within {limit:g} s") from None
    finally:
        await _stop(process, printing)
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
        raise _error(f"can't be started: {type(error).__name__}") from None
    except asyncio.CancelledError:
        await _stop(*await starting)  # The process may already be running.
        raise


def _read(command: Secret, printing: _Printing, status: int | None) -> Secret:
    if len(printing.output) > _MAX_OUTPUT:
        raise _error(f"printed more than {_MAX_OUTPUT} bytes")
    if status != 0:
        text = _error_text(command, printing)
        raise _error(f"failed with status {status}{f': {text}' if text else ''}")
    if not printing.output.strip():
        raise _error("printed no key: the output is empty")
    try:
        return parsers.read_secret(printing.output.decode("utf-8", "replace"))
    except ValueError:
        pass  # Not raised here, because the frames of this error hold the output.
    raise _error(
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


async def _stop(process: asyncio.SubprocessTransport, printing: _Printing) -> None:
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


def _error(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the command in TINKER_CREDENTIAL_CMD {problem}", setting="credential_cmd"
    )
