"""The server as a child process, for as long as its owner lives.

Imports nothing of the server: this is what a client loads to start one.
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

from tinker_ext.embedded.releases import ANY
from tinker_ext.errors import ConfigurationError
from tinker_ext.private_files import make_private_folder, open_private, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_ext.redaction.secret import Secret

# What `pip install 'tinker-ext[embedded]'` brings.
NEEDED = ("autograd", "jsonschema_rs", "jwt", "safetensors", "starlette", "tokenizers", "uvicorn")

# A start takes about a second; a cold disk on a busy machine takes several.
START_SECONDS = 60.0

# How long a server may take to end by itself before it is killed, in seconds.
STOP_SECONDS = 15.0
# The same, where all it has and all it still computes goes with its folder.
DISCARD_SECONDS = 1.0

# How much of the log an error quotes.
QUOTED_CHARACTERS = 2000

LOG_NAME = "embedded.log"

# Variables that hold a key, or how to get one (tinker_ext.config).
SECRET = frozenset(
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
    dialect: str = ANY,
    jwt_life: float | None = None,
    flags: Mapping[str, Any] | None = None,
    key: Secret | None = None,
) -> EmbeddedServer:
    """Start a server on a free loopback port and wait until it answers.

    It keeps everything in `state_dir`, or in a temporary folder that goes with it, and ends with
    `close` or with this process, however that ends. `dialect` is the release it speaks (0.4.1,
    0.24, 0.25 or 0.38), strictly, or any. With `jwt_life` clients must exchange their key for a
    token of so many seconds; `flags` are announced to them. With a `key`, one of
    `backend_key.new_key`, the server accepts no request without it. Blocks for about a second.

    Raises:
        ConfigurationError: a package is missing, `state_dir` is not a folder that can be written
            to, or the server did not start; the message quotes what it had to say.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the embedded backend needs {', '.join(missing)}: pip install 'tinker-ext[embedded]'"
        )
    return EmbeddedServer(state_dir, dialect=dialect, jwt_life=jwt_life, flags=flags, key=key)


class EmbeddedServer:
    """A running server. `url` is where it listens; `close`, or leaving a ``with``, stops it."""

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        dialect: str = ANY,
        jwt_life: float | None = None,
        flags: Mapping[str, Any] | None = None,
        key: Secret | None = None,
    ) -> None:
        self.dialect = dialect
        self._flags = dict(flags or {})
        self._jwt_life = jwt_life
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
    def log_path(self) -> Path:
        """Where the server writes its log."""
        return self.state_dir / LOG_NAME

    def close(self) -> None:
        """Stop the server and wait for its end. A second call does nothing.

        With a folder to keep it first finishes the step that it computes.
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
        command += ["--dialect", self.dialect]
        if self._jwt_life is not None:
            command += ["--jwt-life", str(self._jwt_life)]
        for name, value in self._flags.items():
            command += ["--flag", f"{name}={json.dumps(value)}"]
        try:
            return subprocess.Popen(
                [*command, "--state-dir", str(self.state_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                # Ctrl-C at the terminal is for the owner, who then closes the pipe.
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _send(self, key: Secret) -> None:
        """Send the key through the pipe, which other users can't read."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which is reported next
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
            raise self._failed(f"did not answer within {START_SECONDS:g} s") from None
        if not line:
            raise self._failed("ended while starting")
        url: str = json.loads(line)["url"]
        return url

    def _failed(self, what: str) -> ConfigurationError:
        text = self.log_path.read_text(encoding="utf-8", errors="replace").strip()
        quoted = text[-QUOTED_CHARACTERS:] or "nothing"
        return ConfigurationError(f"the embedded server {what}; it said:\n{quoted}")


def _open_log(state_dir: Path) -> int:
    """Make the folder and the log in it; returns the log's descriptor.

    Raises:
        ConfigurationError: the folder can't be made or written to.
    """
    try:
        make_private_folder(state_dir)
        return open_private(state_dir / LOG_NAME, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise ConfigurationError(
            f"embedded_dir: {state_dir} can't be used as the folder of the embedded backend "
            f"({unusable(error)}); name another with TINKER_EMBEDDED_DIR or embedded_dir=...",
            setting="embedded_dir",
        ) from None


def _read_line(stream: IO[bytes], lines: Queue[bytes]) -> None:
    """The first line, or nothing at the end of the stream."""
    lines.put(stream.readline())


def _environment() -> dict[str, str]:
    """This process's environment, where the child finds the packages that this process found.

    What is secret is left out: the embedded server has no use for it.
    """
    environment = {name: value for name, value in os.environ.items() if name not in SECRET}
    roots = [_root("tinker_ext"), _root("tinker_api"), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, roots))
    return environment


def _root(package: str) -> str:
    """The folder that has to be on the path for a package to be found."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"the package {package} is not installed: pip install tinker-ext")
    return str(Path(spec.origin).resolve().parents[1])
