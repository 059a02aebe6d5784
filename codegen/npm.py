"""Installs JavaScript tools from a lock file, and runs them."""

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
    """A tool is missing, or it failed."""


def install(folder: Path) -> None:
    """Install the packages in the lock file of `folder`, unless they are installed.

    Raises:
        ToolError: npm or the network is not available.
    """
    stamp = folder / "node_modules" / ".lock-sha256"
    digest = sha256((folder / "package-lock.json").read_bytes())
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    if shutil.which("npm") is None:
        raise ToolError("npm was not found: install Node.js 20 or newer")
    command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise ToolError(
            f"npm ci failed; the first run needs the network:\n{outcome.stderr}".rstrip()
        )
    stamp.write_text(digest, encoding="utf-8")


def run(
    folder: Path, tool: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a tool of `folder`, or `npm` itself, in that folder; return its standard output.

    Raises:
        ToolError: the tool failed, with its output; or see `install`.
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
