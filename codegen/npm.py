"""Tools in JavaScript: installed from a lock file, once, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from codegen.documents import sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ToolError(Exception):
    """A tool is missing, or found a fault."""


def install(folder: Path) -> None:
    """Install what the lock file of `folder` names, unless that was done before.

    Raises:
        ToolError: there is no npm, or no network when it is needed.
    """
    stamp = folder / "node_modules" / ".lock-sha256"
    wanted = sha256((folder / "package-lock.json").read_bytes())
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if shutil.which("npm") is None:
        raise ToolError("npm was not found: install Node.js 20 or newer")
    command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise ToolError(f"npm ci failed; it needs the network once:\n{outcome.stderr}".rstrip())
    stamp.write_text(wanted, encoding="utf-8")


def run(
    folder: Path, tool: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> str:
    """What a tool that `folder` installs says; `npm` itself is one. It is run in `folder`.

    Raises:
        ToolError: it failed, with all it said; or as `install`.
    """
    install(folder)
    program = tool if tool == "npm" else str(folder / "node_modules" / ".bin" / tool)
    outcome = subprocess.run(
        (program, *arguments),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise ToolError(f"{tool} failed:\n{outcome.stdout}{outcome.stderr}".rstrip())
    return outcome.stdout
