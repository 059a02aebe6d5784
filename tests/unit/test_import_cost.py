"""`import tinker_ext` is fast and imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

#: Seconds of CPU time, which a busy machine does not distort.
ALLOWED = 0.15
#: Packages that are imported on first use.
NOT_AT_IMPORT = {
    "aiohttp",
    "asyncio",
    "autograd",
    "click",
    "httpx",
    "numpy",
    "rich",
    "safetensors",
    "starlette",
    "tinker_api",
    "tokenizers",
    "torch",
    "transformers",
    "uvicorn",
}

SCRIPT = """
import json, sys, time
before = set(sys.modules)
started = time.process_time()
import tinker_ext
spent = time.process_time() - started
print(json.dumps([spent, sorted(set(sys.modules) - before)]))
"""


def import_once() -> tuple[float, set[str]]:
    """Seconds of CPU time, and the imported modules."""
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    spent, modules = json.loads(ran.stdout)
    return spent, set(modules)


def test_import_is_cheap() -> None:
    import_once()  # Compiles changed files, which is not measured.
    assert min(import_once()[0] for _ in range(5)) < ALLOWED


def test_import_loads_no_heavy_package() -> None:
    _, modules = import_once()
    assert "tinker_ext" in modules
    assert {name.partition(".")[0] for name in modules} & NOT_AT_IMPORT == set()
    assert not [name for name in modules if name.startswith("tinker_ext.embedded")]


CLIENT_SCRIPT = """
import json, sys
from tinker_ext import ServiceClient
modules = sorted(sys.modules)
import httpx
print(json.dumps([modules, httpx.__name__, "httpx._main" in sys.modules]))
"""
#: Packages that the client itself does not use; the command line of httpx imports the first three.
NOT_FOR_THE_CLIENT = {"click", "pygments", "rich", "aiohttp", "numpy", "torch", "transformers"}


def import_client() -> tuple[set[str], str, bool]:
    """The modules of a new client; then the name of httpx, and whether its command line is in."""
    ran = subprocess.run(
        [sys.executable, "-c", CLIENT_SCRIPT], capture_output=True, text=True, check=True
    )
    modules, name, command_line = json.loads(ran.stdout)
    return set(modules), name, command_line


def test_client_imports_no_command_line() -> None:
    modules, name, command_line = import_client()
    assert {module.partition(".")[0] for module in modules} & NOT_FOR_THE_CLIENT == set()
    assert name == "httpx"
    assert not command_line  # Importing it later works: no entry of ours is left.


def test_client_imports_no_endpoint_before_its_first_request() -> None:
    modules, _, _ = import_client()
    assert "tinker_api.endpoints" in modules
    assert not [module for module in modules if module.startswith("tinker_api.api.")]


def test_client_imports_nothing_for_training_before_it_trains() -> None:
    modules, _, _ = import_client()
    assert "tinker_ext.clients.sampling" in modules
    assert "tinker_ext.clients.training" not in modules
    assert "tinker_ext.types.inputs.datum" not in modules
