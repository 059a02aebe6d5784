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
    """The wheel of `release`, with the hash the lock has for it, if it has one."""
    return open_wheel(release, expected_sha256=read_lock()["wheels"].get(release))


def read_lock() -> dict[str, Any]:
    if not LOCK.exists():
        return {"wheels": {}, "files": {}, "tools": {}}
    lock: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return lock


def lock_wheel(wheel: Wheel) -> None:
    """Remember the hash of a wheel seen for the first time."""
    lock = read_lock()
    lock["wheels"][wheel.release] = wheel.sha256
    _write(lock)


def lock_files(made: Iterable[Path]) -> None:
    """Remember the hashes of the files in `openapi/` that were made or went in, and the tools."""
    lock = read_lock()
    templates = (path for path in TEMPLATES.rglob("*") if path.is_file())
    paths = {*made, OVERLAY, GENERATOR_OPTIONS, *templates}
    lock["files"] = {str(path.relative_to(OPENAPI)): sha256(path.read_bytes()) for path in paths}
    lock["tools"] = tool_versions()
    _write(lock)


TOOLS = ("oas_patch", "openapi-python-client", "ruamel.yaml", "ruff")
"""What reads the overlay, the generator of the bindings, what writes YAML, and the formatter."""


def tool_versions() -> dict[str, str]:
    """Version and hash of each tool, such as `0.29.1 sha256:...`.

    The hash is that of the tool's Python code as it was installed, so the same on every platform; a
    tool that is a program of another language, such as the formatter, has its version for a hash.
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
