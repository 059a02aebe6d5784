"""Runs the server as a child process that ends with its parent.

A client imports this module to start a server, so it imports none of the server's modules.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from typing import IO, TYPE_CHECKING, Any, Self

from tinker_ext.embedded.protocols import ANY
from tinker_ext.errors import ConfigurationError, SessionLostError
from tinker_ext.install_hints import install_hint
from tinker_ext.private_files import make_private_folder, open_private, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_ext.redaction.secret import Secret

# Packages of the extra `embedded`.
NEEDED = ("autograd", "jsonschema_rs", "jwt", "safetensors", "starlette", "tokenizers", "uvicorn")

# Timeout for the start, which takes about a second, or several on a busy machine.
START_SECONDS = 60.0

# Seconds to wait for the server to exit before it is killed.
STOP_SECONDS = 15.0
# The same for a temporary state folder, which is deleted with all results.
DISCARD_SECONDS = 1.0

# Characters of the log that an error message quotes.
QUOTED_CHARACTERS = 2000

LOG_NAME = "embedded.log"

# Environment variables that hold a key or a credential command (tinker_ext.config).
SECRET_VARIABLES = frozenset(
    {
        "TINKER_API_KEY",
        "TINKER_CREDENTIAL_CMD",
        "CLOUDFLARE_ACCESS_CLIENT_SECRET",
        "TINKER_EXT_SERVE_KEY",
    }
)


def start_embedded(
    state_dir: Path | None = None,
    *,
    protocol: str = ANY,
    jwt_lifetime: float | None = None,
    flags: Mapping[str, Any] | None = None,
    key: Secret | None = None,
) -> RunningBackend:
    """Start a server on a free loopback port and wait until it accepts requests.

    The server stops on `close`, or when this process ends for any reason. Blocks for about a
    second.

    Args:
        state_dir: Folder for runs and checkpoints. None creates a temporary folder that is deleted
            with the server.
        protocol: The release whose requests the server accepts, strictly (0.4.1, 0.24, 0.25 or
            0.38), or any.
        jwt_lifetime: Requires clients to exchange their key for a token that is valid for this
            number of seconds.
        flags: Server flags sent to clients.
        key: The key that every request must contain, made by `private_files.new_backend_key`.

    Raises:
        ConfigurationError: a package is missing, `state_dir` can't be written to, or the server did
            not start; the message quotes the server's log.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the embedded backend needs {', '.join(missing)}: {install_hint('embedded')}"
        )
    return RunningBackend(
        state_dir, protocol=protocol, jwt_lifetime=jwt_lifetime, flags=flags, key=key
    )


class RunningBackend:
    """A running embedded backend at `url`; `close`, or leaving a ``with`` block, stops it."""

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        protocol: str = ANY,
        jwt_lifetime: float | None = None,
        flags: Mapping[str, Any] | None = None,
        key: Secret | None = None,
    ) -> None:
        self.protocol = protocol
        self._flags = dict(flags or {})
        self._jwt_lifetime = jwt_lifetime
        self._temporary = state_dir is None
        self.state_dir = state_dir or Path(tempfile.mkdtemp(prefix="tinker-"))
        self._process = self._spawn(_open_log(self.state_dir), piped_key=key is not None)
        try:
            if key is not None:
                self._send(key)
            self.url = self._wait_for_url()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def exited(self) -> bool:
        """Whether the child has ended, by `close` or for any other reason."""
        return self._process.poll() is not None

    def check(self) -> None:
        """Check that the child runs.

        Raises:
            SessionLostError: it has ended, and the sessions with it.
        """
        status = self._process.poll()
        if status is not None:
            raise SessionLostError(
                f"the embedded backend has ended with status {status} (its log: {self.log_path}); "
                "a new ServiceClient starts another"
            )

    @property
    def log_path(self) -> Path:
        """The server's log file."""
        return self.state_dir / LOG_NAME

    def close(self) -> None:
        """Stop the server and wait for its exit. A second call does nothing.

        Unless the state folder is temporary, the server first finishes the running operation.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(DISCARD_SECONDS if self._temporary else STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._temporary:
            shutil.rmtree(self.state_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _spawn(self, log: int, *, piped_key: bool) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "tinker_ext.embedded", "--parent-pipe"]
        command += ["--piped-key"] if piped_key else []
        command += ["--protocol", self.protocol]
        if self._jwt_lifetime is not None:
            command += ["--jwt-lifetime", str(self._jwt_lifetime)]
        for name, value in self._flags.items():
            command += ["--flag", f"{name}={json.dumps(value)}"]
        try:
            return subprocess.Popen(
                [*command, "--state-dir", str(self.state_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                # Ctrl-C must reach the parent only, which then closes the pipe.
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _send(self, key: Secret) -> None:
        """Send the key through stdin, which other users can't read."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # the server has exited; `_wait_for_url` reports it
            stdin.write(key.reveal().encode() + b"\n")
            stdin.flush()

    def _wait_for_url(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        lines: Queue[bytes] = Queue()
        threading.Thread(target=_read_line, args=(stdout, lines), daemon=True).start()
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            raise self._failed(f"did not start within {START_SECONDS:g} s") from None
        if not line:
            raise self._failed("ended while starting")
        url: str = json.loads(line)["url"]
        return url

    def _failed(self, reason: str) -> ConfigurationError:
        text = self.log_path.read_text(encoding="utf-8", errors="replace").strip()
        quoted = text[-QUOTED_CHARACTERS:] or "(empty)"
        return ConfigurationError(f"the embedded backend {reason}; its log:\n{quoted}")


def _open_log(state_dir: Path) -> int:
    """Create the folder and the log file in it; returns the file descriptor of the log.

    Raises:
        ConfigurationError: the folder can't be created or written to.
    """
    try:
        make_private_folder(state_dir)
        return open_private(state_dir / LOG_NAME, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise ConfigurationError(
            f"embedded_dir: {state_dir} can't be used as the folder of the embedded backend "
            f"({unusable(error)}); set another with TINKER_EMBEDDED_DIR or embedded_dir=...",
            setting="embedded_dir",
        ) from None


def _read_line(stream: IO[bytes], lines: Queue[bytes]) -> None:
    """Put the first line into the queue; it is empty at the end of the stream."""
    lines.put(stream.readline())


def _environment() -> dict[str, str]:
    """This process's environment without its secrets, which the server does not need.

    `PYTHONPATH` makes the child import the same packages as this process.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES
    }
    roots = [_root("tinker_ext"), _root("tinker_api"), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, roots))
    return environment


def _root(package: str) -> str:
    """The folder that must be on the path to import a package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"the package {package} is not installed: {install_hint()}")
    return str(Path(spec.origin).resolve().parents[1])
