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
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from attrs import field, frozen
from packaging.requirements import Requirement

from conformance.interop.environments import ROOT, installed, variables
from conformance.interop.session import DRIVERS, KEY
from tinker_ext.server_check import CheckedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

MODELS = ROOT / ".cache" / "tiny-models"
# Each shape is compiled once, which takes up to a minute, and not again for the next client.
JAX_CACHE = ROOT / ".cache" / "jax"
# Ray starts a dozen processes, each of which imports torch.
START_SECONDS = 600.0
STOP_SECONDS = 10.0
# A CPU build, if pip finds one. Installed first, because the default build of newer releases, which
# the servers' own requirements would select, is for CUDA.
TORCH = "torch==2.13.0"


@frozen
class Place:
    """The surroundings of a server: its interpreter, its folder, the tiny model, and its port."""

    python: Path
    folder: Path
    model: Path
    port: int

    @property
    def address(self) -> tuple[str, ...]:
        """The options of most servers for the address."""
        return ("--port", str(self.port), "--host", "127.0.0.1")


@frozen
class Process:
    """A program of a server, with the environment variables that it needs."""

    command: Sequence[str]
    variables: Mapping[str, str]


@frozen
class Server:
    """A server, the packages to install for it, and the processes that it consists of."""

    name: str
    requirements: tuple[str, ...]
    #: Writes the configuration and returns the processes in the order in which they start.
    processes: Callable[[Place], Sequence[Process]]
    #: Installed last, without dependencies, which would include CUDA, and without regard to the
    #: Python versions that they declare.
    bare_requirements: tuple[str, ...] = ()
    #: The official release whose protocol it implements.
    official: str = "0.4.1"
    #: The official release whose flags it sends, if it sends flags of another one.
    flags: str | None = None
    #: The name of its model; None if it is the folder of the tiny model.
    model: str | None = None
    #: A text of its log; the server is ready once it responds and has logged it.
    ready: str = ""
    #: The headers that it requires.
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def release(self) -> str:
        """The official release whose SDK uses most of its operations."""
        return self.flags or self.official

    @property
    def package(self) -> str:
        """The name and version of its package, such as `tuft 0.2.2`."""
        pinned = map(Requirement, (*self.bare_requirements, *self.requirements))
        package = next(item for item in pinned if item.name.startswith(self.name))
        return f"{package.name} {str(package.specifier).removeprefix('==')}"

    def python(self) -> Path:
        """The interpreter of its environment. The first call takes minutes and gigabytes."""
        return installed(self.name, self.requirements, self.bare_requirements)


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


def _tuft(place: Place) -> Sequence[Process]:
    config = place.folder / "config.yaml"
    text = TUFT_CONFIG.format(folder=place.folder, model=place.model, key=KEY)
    config.write_text(text, encoding="utf-8")
    program = str(place.python.parent / "tuft")
    command = [program, "launch", *place.address, "--config", str(config)]
    return [Process(command, {"TUFT_CPU_TEST": "1"})]


# SkyRL starts its engine through `uv run ... -m MODULE`; this script replaces uv. The API of 0.3.0
# reads the command line of its parent, which must be `uv run` as well.
UV = """\
#!{python}
import os, subprocess, sys
command = [sys.executable, *sys.argv[sys.argv.index("-m"):]]
if command[2].endswith(".api"):
    sys.exit(subprocess.call(command))
os.execv(sys.executable, command)
"""
# SkyRL 0.3.0 declares Python 3.11, where pydantic rejects its `typing.TypedDict`.
TYPED_DICT = """\
import sys, typing
if sys.version_info < (3, 12):
    import typing_extensions
    typing.TypedDict = typing_extensions.TypedDict
"""


def _skyrl(module: str) -> Callable[[Place], Sequence[Process]]:
    def processes(place: Place) -> Sequence[Process]:
        stand_in = place.folder / "uv"
        stand_in.write_text(UV.format(python=place.python), encoding="utf-8")
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
        settings = '{"max_lora_adapters": 12, "max_lora_rank": 8}'
        options = ("--base-model", str(place.model), "--backend", "jax")
        storage = (
            *("--database-url", f"sqlite:///{place.folder}/db"),
            *("--checkpoints-base", f"{place.folder}/saved"),
        )
        command = [
            *(str(stand_in), "run", "--", "-m", module, *place.address),
            *(*options, "--backend-config", settings, *storage),
        ]
        (place.folder / "sitecustomize.py").write_text(TYPED_DICT, encoding="utf-8")
        variables = {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(JAX_CACHE),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONPATH": str(place.folder),
        }
        return [Process(command, variables)]

    return processes


def _hatchery(place: Place) -> Sequence[Process]:
    """A gateway and a worker that trains on the CPU; the databases in the folder connect them."""
    python, folder = str(place.python), str(place.folder)
    settings = {
        "HATCHERY_ADMIN_API_KEY": KEY,
        "HATCHERY_METADATA_STORE": "sqlite",
        "HATCHERY_SQLITE_PATH": f"{folder}/metadata.db",
        "HATCHERY_JOB_QUEUE": "sqlite",
        "HATCHERY_SQLITE_QUEUE_PATH": f"{folder}/queue.db",
        "HATCHERY_LOCAL_STORE_PATH": f"{folder}/objects",
        "HATCHERY_BASE_MODEL": str(place.model),
        "HATCHERY_WORKER_DEVICE": "cpu",
        "HATCHERY_CRASH_HOLD_SECONDS": "0",
        "TMPDIR": folder,
    }
    gateway = [python, "-m", "uvicorn", "hatchery.core.gateway:create_app", "--factory"]
    return [
        Process([*gateway, *place.address], settings),
        Process([python, "-m", "hatchery.core.worker"], settings),
    ]


TWINKLE_MODEL = "mock-model"
# The gateway is last: once it responds, the others are ready.
TWINKLE_CONFIG = """\
http_options: {{host: 127.0.0.1, port: {port}}}
telemetry: {{enabled: false}}
persistence: {{mode: memory}}
applications:
- name: model
  route_prefix: /api/v1/model/{model}
  import_path: model
  args: {{backend: mock, {mock}}}
  deployments: [{{name: ModelManagement, {replicas}}}]
- name: sampler
  route_prefix: /api/v1/sampler/{model}
  import_path: sampler
  args: {{sampler_type: mock, {mock}}}
  deployments: [{{name: SamplerManagement, {replicas}}}]
- name: server
  route_prefix: /api/v1
  import_path: server
  args: {{server_config: {{per_token_model_limit: 12}}, supported_models: [{model}]}}
  deployments: [{{name: GatewayServer, {replicas}}}]
"""
TWINKLE_REPLICAS = (
    "autoscaling_config: {min_replicas: 1, max_replicas: 1, target_ongoing_requests: 128}, "
    "ray_actor_options: {num_cpus: 0.1}"
)
TWINKLE_MOCK = (
    f"model_id: {TWINKLE_MODEL}, nproc_per_node: 1, "
    "device_group: {name: all, ranks: 1, device_type: cpu}, "
    "device_mesh: {device_type: cpu, dp_size: 1}, "
    "queue_config: {rps_limit: 100, tps_limit: 100000}"
)


def _twinkle(place: Place) -> Sequence[Process]:
    config = place.folder / "config.yaml"
    text = TWINKLE_CONFIG.format(
        port=place.port, model=TWINKLE_MODEL, replicas=TWINKLE_REPLICAS, mock=TWINKLE_MOCK
    )
    config.write_text(text, encoding="utf-8")
    command = [str(place.python), "-m", "twinkle.server", "launch", "--config", str(config)]
    settings = {
        # Otherwise it looks for a running cluster.
        "RAY_ADDRESS": "local",
        # On a busy machine, a proxy takes longer than 5 s to start, after which it is killed.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        # It wants four for each process; two are enough.
        "RAY_OVERRIDE_RESOURCES": '{"CPU": 8}',
        # Paths of sockets have at most 107 bytes, which the folder of a test can exceed.
        "RAY_TMPDIR": "/tmp",
    }
    return [Process(command, settings)]


# The engine starts after the API, which takes minutes on a busy machine.
ENGINE_STARTS = "Starting background engine"
JAX = ("jax<1.0,>=0.8", "flax>=0.12.2", "optax>=0.2.5")
TUFT = Server(
    name="tuft",
    requirements=(
        *(TORCH, "accelerate", "fastapi<0.137,>=0.133", "httpx", "numpy>=2"),
        *("nvidia-ml-py", "omegaconf", "opentelemetry-api", "opentelemetry-sdk"),
        *("opentelemetry-exporter-otlp", "opentelemetry-instrumentation-fastapi"),
        *("opentelemetry-instrumentation-logging", "peft==0.20.0", "protobuf", "psutil"),
        *("ray>=2.50", "tinker<0.26,>=0.25", "transformers<6,>=5.5.3", "typer"),
        "uvicorn[standard]",
    ),
    bare_requirements=("tuft==0.2.2",),
    processes=_tuft,
    official="0.25.0",
)
SKYRL_TX = Server(
    name="skyrl-tx",
    requirements=(TORCH, "skyrl-tx[tinker]==0.3.0", *JAX),
    processes=_skyrl("tx.tinker.api"),
    ready=ENGINE_STARTS,
)
SKYRL = Server(
    name="skyrl",
    requirements=(TORCH, "skyrl[tinker]==0.3.0", *JAX),
    processes=_skyrl("skyrl.tinker.api"),
    flags="0.24.1",
    ready=ENGINE_STARTS,
)
HATCHERY = Server(
    name="hatchery",
    requirements=(
        *(TORCH, "hatchery-client>=0.2.0", "fastapi>=0.110", "uvicorn[standard]>=0.27"),
        *("pydantic>=2.6", "msgpack>=1.0", "aiosqlite>=0.19", "structlog>=24.1", "httpx>=0.27"),
        *("transformers>=4.51", "peft>=0.10"),
    ),
    # It declares torch 2.10 and Python 3.12.
    bare_requirements=("hatchery-core==0.3.0",),
    processes=_hatchery,
    flags="0.24.1",
)
TWINKLE = Server(
    name="twinkle",
    requirements=(
        *(TORCH, "numpy<2.3,>=2.0", "datasets", "omegaconf<3,>=2.3", "fastapi"),
        *("modelscope[framework]>=1.34", "safetensors", "peft<=0.19.0,>=0.11.0", "transformers"),
        *("typer>=0.9", "pyzmq", "accelerate", "ray[serve]", "redis>=5", "psutil>=5.9"),
        *("pynvml>=11", "opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp"),
        *("opentelemetry-instrumentation-logging", "httpx>=0.25", "tinker==0.16.1"),
    ),
    # It declares Python before 3.13.
    bare_requirements=("twinkle-kit==0.5.1",),
    processes=_twinkle,
    official="0.16.1",
    model=TWINKLE_MODEL,
    # The id routes the requests of a client to the same replica.
    headers={
        "Authorization": f"Bearer {KEY}",
        "X-Request-Id": "interop",
        "X-Ray-Serve-Request-Id": "interop",
    },
)
SERVERS = {server.name: server for server in (TUFT, SKYRL_TX, SKYRL, HATCHERY, TWINKLE)}


@frozen
class Running:
    """The URL of a server, the name of its model, and the headers that it requires."""

    url: str
    model: str
    headers: Mapping[str, str] = field(factory=dict)

    def checked(self) -> CheckedServer:
        """The server as the steps of `tinker_ext.server_check` see it."""
        settings = {"base_url": self.url, "api_key": KEY, "default_headers": self.headers}
        return CheckedServer(self.model, settings)


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Running]:
    """Run the server until the context exits. It writes all its files to `folder`."""
    place = Place(server.python(), folder, _tiny_model(server), _free_port())
    url = f"http://127.0.0.1:{place.port}"
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_started(process, place)) for process in server.processes(place)
        ]
        _wait(f"{url}/api/v1/healthz", server.ready, processes, folder / "log")
        yield Running(url, server.model or str(place.model), server.headers)


@contextmanager
def _started(process: Process, place: Place) -> Iterator[subprocess.Popen[bytes]]:
    environment = variables(**process.variables)
    path = (str(place.folder), str(place.python.parent), environment["PATH"])
    environment["PATH"] = os.pathsep.join(path)
    environment["PYTHONPATH"] = process.variables.get("PYTHONPATH", "")
    with (place.folder / "log").open("ab") as log:
        started = subprocess.Popen(
            list(process.command),
            cwd=place.folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        _stop(started)


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


def _wait(url: str, ready: str, processes: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            with urllib.request.urlopen(url, timeout=START_SECONDS):
                if ready in log.read_text(encoding="utf-8", errors="replace"):
                    return
        except OSError:
            pass
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
