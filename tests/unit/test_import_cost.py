"""What `import tinker_ext` costs: a script that uses little should pay little."""

from __future__ import annotations

import json
import subprocess
import sys

#: Seconds of processor time; wall-clock time on a busy machine says nothing about the import.
ALLOWED = 0.15
#: Packages that are loaded when they are needed and not before.
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
    """Seconds of processor time, and the modules that came in."""
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    spent, modules = json.loads(ran.stdout)
    return spent, set(modules)


def test_import_is_cheap() -> None:
    import_once()  # compiles what has changed, which is not what is measured
    assert min(import_once()[0] for _ in range(5)) < ALLOWED


def test_import_pulls_in_nothing_heavy() -> None:
    _, modules = import_once()
    assert "tinker_ext" in modules
    assert {name.partition(".")[0] for name in modules} & NOT_AT_IMPORT == set()
    assert not [name for name in modules if name.startswith("tinker_ext.embedded")]
