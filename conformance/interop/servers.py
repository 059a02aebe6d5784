"""Servers of other projects, installed from the package index and started on this machine.

The commands come from the documentation of the servers and from experiments. No other module
depends on a particular server.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from conformance.interop.environments import ROOT, installed, variables
from conformance.interop.session import DRIVERS, KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MODELS = ROOT / ".cache" / "tiny-models"
START_SECONDS = 240.0
STOP_SECONDS = 10.0


@frozen
class Server:
    """A server and the packages to install for it."""

    name: str
    requirements: tuple[str, ...]
    # Installed last and without dependencies, which would include CUDA.
    bare_requirements: tuple[str, ...] = ()
    # The official release whose protocol it implements.
    official: str = "0.4.1"

    def python(self) -> Path:
        """The interpreter of its environment. The first call takes minutes and gigabytes."""
        return installed(self.name, self.requirements, self.bare_requirements)


TUFT = Server(
    name="tuft",
    requirements=(
        *("torch==2.13.0", "accelerate", "fastapi<0.137,>=0.133", "httpx", "numpy>=2"),
        *("nvidia-ml-py", "omegaconf", "opentelemetry-api", "opentelemetry-sdk"),
        *("opentelemetry-exporter-otlp", "opentelemetry-instrumentation-fastapi"),
        *("opentelemetry-instrumentation-logging", "peft==0.20.0", "protobuf", "psutil"),
        *("ray>=2.50", "tinker<0.26,>=0.25", "transformers<6,>=5.5.3", "typer"),
        "uvicorn[standard]",
    ),
    bare_requirements=("tuft==0.2.2",),
    official="0.25.0",
)
SKYRL_TX = Server(
    name="skyrl-tx",
    requirements=(
        *("torch==2.13.0", "skyrl-tx[tinker]==0.3.0"),
        *("jax<1.0,>=0.8", "flax>=0.12.2", "optax>=0.2.5"),
    ),
)
SERVERS = {server.name: server for server in (TUFT, SKYRL_TX)}

TUFT_CONFIG = """\
checkpoint_dir: {folder}/checkpoints
supported_models:
  - model_name: {model}
    model_path: {model}
    max_model_len: 512
    max_lora_rank: 16
    max_loras: 4
    capabilities: [training, sampling]
authorized_users: {{{key}: interop}}
"""
# SkyRL tx starts its engine through `uv run ... -m MODULE`; this script replaces uv.
UV = """\
#!{python}
import os, sys
begin = sys.argv.index("-m")
os.execv(sys.executable, [sys.executable, *sys.argv[begin:]])
"""


@frozen
class Running:
    """The URL of a server, and the name of its model."""

    url: str
    model: str


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Running]:
    """Run the server until the context exits. It writes all its files to `folder`."""
    model = _tiny_model(server)
    port = _free_port()
    command, extra = _command(server, folder, model, port)
    bin_folder = server.python().parent
    environment = variables(**extra)
    environment["PATH"] = f"{folder}{os.pathsep}{bin_folder}{os.pathsep}{environment['PATH']}"
    del environment["PYTHONPATH"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, folder / "log")
        yield Running(url, str(model))
    finally:
        _stop(process)


def _command(
    server: Server, folder: Path, model: Path, port: int
) -> tuple[list[str], Mapping[str, str]]:
    where = ("--port", str(port), "--host", "127.0.0.1")
    if server is TUFT:
        config = folder / "config.yaml"
        config.write_text(TUFT_CONFIG.format(folder=folder, model=model, key=KEY), encoding="utf-8")
        program = str(server.python().parent / "tuft")
        return [program, "launch", *where, "--config", str(config)], {"TUFT_CPU_TEST": "1"}
    stand_in = folder / "uv"
    stand_in.write_text(UV.format(python=server.python()), encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    settings = '{"max_lora_adapters": 12, "max_lora_rank": 8}'
    options = ("--base-model", str(model), "--backend", "jax", "--backend-config", settings)
    storage = ("--database-url", f"sqlite:///{folder}/db", "--checkpoints-base", f"{folder}/saved")
    program = str(server.python())
    return [program, "-m", "tx.tinker.api", *where, *options, *storage], {"JAX_PLATFORMS": "cpu"}


def _tiny_model(server: Server) -> Path:
    """A model in a format that the server can read, because its own libraries write it."""
    folder = MODELS / server.name
    if not (folder / "config.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(
            [str(server.python()), str(DRIVERS / "make_model.py"), str(folder)],
            env=variables(PYTHONPATH=""),
            check=True,
            capture_output=True,
            timeout=START_SECONDS,
        )
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    output = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"the server did not start; its log ends with:\n{output}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process group of the server, first with SIGTERM, then with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
