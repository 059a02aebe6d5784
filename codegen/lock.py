"""`openapi/lock.json`: hashes of the wheels, files and tools behind the specification."""

from __future__ import annotations

import json
from importlib.metadata import distribution, version
from typing import TYPE_CHECKING, Any

from codegen.documents import sha256
from codegen.paths import GENERATOR_OPTIONS, LOCK, OPENAPI, OVERLAY, TEMPLATES
from codegen.wheel.wheels import Wheel, open_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def locked_wheel(release: str) -> Wheel:
    """Open the wheel of `release`, checked against its hash in the lock file, if there is one."""
    return open_wheel(release, expected_sha256=read_lock()["wheels"].get(release))


def read_lock() -> dict[str, Any]:
    if not LOCK.exists():
        return {"wheels": {}, "files": {}, "tools": {}}
    lock: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return lock


def lock_wheel(wheel: Wheel) -> None:
    """Record the hash of a wheel."""
    lock = read_lock()
    lock["wheels"][wheel.release] = wheel.sha256
    _write(lock)


def lock_files(generated: Iterable[Path]) -> None:
    """Record the hashes of the inputs and outputs in `openapi/`, and the versions of the tools."""
    lock = read_lock()
    templates = (path for path in TEMPLATES.rglob("*") if path.is_file())
    paths = {*generated, OVERLAY, GENERATOR_OPTIONS, *templates}
    lock["files"] = {str(path.relative_to(OPENAPI)): sha256(path.read_bytes()) for path in paths}
    lock["tools"] = tool_versions()
    _write(lock)


TOOLS = ("oas_patch", "openapi-python-client", "ruamel.yaml", "ruff")
"""The tools that apply the overlay, generate the bindings, write YAML, and format code."""


def tool_versions() -> dict[str, str]:
    """Version and hash of each tool, such as `0.29.1 sha256:...`.

    The hash covers the installed Python code and is the same on every platform. A tool in another
    language, such as the formatter, has no hash.
    """
    return {name: f"{version(name)}{_code_hash(name)}" for name in TOOLS}


def _code_hash(name: str) -> str:
    files = [file for file in distribution(name).files or [] if file.hash is not None]
    code = sorted(
        f"{file} {file.hash.value}"
        for file in files
        if file.hash is not None and file.suffix in (".py", ".jinja") and ".." not in file.parts
    )
    compiled = any(file.suffix in (".so", "") and "bin" in file.parts for file in files)
    return "" if compiled and len(code) < 10 else f" sha256:{sha256(chr(10).join(code).encode())}"


def _write(lock: dict[str, Any]) -> None:
    ordered = {key: dict(sorted(lock[key].items())) for key in ("wheels", "tools", "files")}
    LOCK.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
