"""Which servers are tried, how each is installed and how it is started."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# A CPU build; without it the others would bring CUDA.
TORCH = "torch==2.13.0"
KEY = "tml-test"


@frozen
class Start:
    """What starting needs to know: interpreter, model folder, a folder of its own, a free port."""

    python: Path
    model: Path
    folder: Path
    port: int


@frozen
class Command:
    """A command line, the variables it needs, and what the model is called by the server."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    base_model: str


@frozen
class Installable:
    """A server that can be installed and started: `installs` are calls of pip.

    `checks_keys` says whether a wrong key is to be refused.
    """

    name: str
    environment: str
    installs: Sequence[Sequence[str]]
    command: Callable[[Start], Command]
    checks_keys: bool


def _tuft(start: Start) -> Command:
    config = start.folder / "config.yaml"
    model = {
        "model_name": str(start.model),  # A folder, so that its tokenizer needs no hub.
        "model_path": str(start.model),
        "max_model_len": 512,
        "max_lora_rank": 16,
        "max_loras": 4,
        "capabilities": ["training", "sampling"],
    }
    settings = {
        "checkpoint_dir": str(start.folder / "checkpoints"),
        "supported_models": [model],
        "authorized_users": {KEY: "tester"},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML.
    options = ["--host", "127.0.0.1", "--port", str(start.port), "--config", str(config)]
    return Command(
        [str(start.python), "-m", "tuft", "launch", *options],
        # Its toy backend: milliseconds a step, constant logprobs.
        {"TUFT_CPU_TEST": "1", "RAY_USAGE_STATS_ENABLED": "0"},
        str(start.model),
    )


TUFT = Installable(
    name="TuFT 0.2.2",
    environment="tuft",
    installs=[
        # Its dependencies without vllm, which has no build for CPUs.
        [
            *("--no-compile", TORCH, "accelerate", "fastapi<0.137,>=0.133", "httpx", "numpy>=2"),
            *("nvidia-ml-py", "omegaconf", "opentelemetry-api", "opentelemetry-sdk"),
            *("opentelemetry-exporter-otlp", "opentelemetry-instrumentation-fastapi"),
            *("opentelemetry-instrumentation-logging", "peft==0.20.0", "protobuf", "psutil"),
            *("ray>=2.50", "tinker<0.26,>=0.25", "transformers<6,>=5.5.3", "typer"),
            "uvicorn[standard]",
        ],
        ["--no-compile", "--no-deps", "tuft==0.2.2"],
    ],
    command=_tuft,
    checks_keys=True,
)


def _skyrl_tx(start: Start) -> Command:
    tools = start.folder / "bin"
    _stand_in_for_uv(tools, start.python)
    backend = {"max_lora_adapters": 8, "max_lora_rank": 8}
    options = {
        "--base-model": str(start.model),
        "--host": "127.0.0.1",
        "--port": str(start.port),
        "--database-url": f"sqlite:///{start.folder / 'tx.db'}",
        "--checkpoints-base": str(start.folder / "checkpoints"),
        "--backend": "jax",
        "--backend-config": json.dumps(backend),
    }
    return Command(
        [
            *(str(start.python), "-m", "tx.tinker.api"),
            *(word for pair in options.items() for word in pair),
        ],
        {"JAX_PLATFORMS": "cpu", "PATH": f"{tools}:{os.environ.get('PATH', '')}"},
        str(start.model),
    )


def _stand_in_for_uv(folder: Path, python: Path) -> None:
    """The server starts its engine through `uv run ... -m MODULE`; this runs the module."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "uv"
    script.write_text(
        f'#!/bin/sh\nwhile [ "$1" != "-m" ]; do shift; done\nexec {python} "$@"\n', encoding="utf-8"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


SKYRL_TX = Installable(
    name="SkyRL tx 0.3.0",
    environment="skyrl-tx",
    # Without its extra `jax`, which would bring CUDA.
    installs=[
        [
            *("--no-compile", TORCH, "skyrl-tx[tinker]==0.3.0"),
            *("jax<1.0,>=0.8", "flax>=0.12.2", "optax>=0.2.5"),
        ]
    ],
    command=_skyrl_tx,
    checks_keys=False,
)

SERVERS = {"tuft": TUFT, "skyrl-tx": SKYRL_TX}
