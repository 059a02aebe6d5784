"""One server as a child process on loopback, for as long as a `with` block lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from tests.interop.servers.catalog import KEY, Installable, Start
from tests.interop.servers.environments import ROOT, python_with

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = ROOT / ".cache"
# Seconds. A first start reads torch, ray or JAX from a cold disk.
START_SECONDS = 180.0
STOP_SECONDS = 10.0
_QUOTED_CHARACTERS = 3000


class StartError(RuntimeError):
    """The server did not come up; the message has the end of its log."""


@frozen
class Running:
    """Where a server listens, and what it wants to hear."""

    url: str
    key: str
    base_model: str
    checks_keys: bool


@contextmanager
def running(server: Installable, folder: Path) -> Iterator[Running]:
    """Start `server`, with everything it writes in `folder`; end it and its children after.

    Raises:
        InstallationError: its environment could not be made.
        StartError: it ended, or did not answer in time.
    """
    python = python_with(server.environment, server.installs)
    model = _model(python, server.environment)
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = server.command(Start(python, model, folder, port))
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**_variables(), **command.variables},
            start_new_session=True,  # Its children end with it: they are one process group.
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_it_answers(process, url, log)
            yield Running(url, KEY, command.base_model, server.checks_keys)
        finally:
            _end(process)


def _model(python: Path, environment: str) -> Path:
    """The folder of the tiny model, made once."""
    # One for each environment: transformers 4 does not read what 5 writes.
    folder = MODELS / f"tiny-{environment}"
    if not (folder / "model.safetensors").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("tiny_model.py")
        subprocess.run([str(python), str(script), str(folder)], check=True, env=_variables())
    return folder


def _variables() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "*",
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Any answer will do, for servers differ in whether they have a health check."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/api/v1/healthz", timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.25)
    text = log.read_text(encoding="utf-8", errors="replace")[-_QUOTED_CHARACTERS:]
    raise StartError(f"the server did not answer at {url} (exit {process.poll()}):\n{text}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for kind, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
