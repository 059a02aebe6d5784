"""Virtual environments for servers: made once from the package index, kept in `.venvs`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = ROOT / ".venvs"
STAMP = "server.sha256"
# Seconds that one installation may take; torch alone is 200 MB.
INSTALL_SECONDS = 1500.0


class InstallationError(RuntimeError):
    """An environment could not be made in time, or at all; the message has pip's last words."""


def installed(name: str, installs: Sequence[Sequence[str]]) -> bool:
    """Whether the environment is there already and holds exactly this."""
    stamp = ENVIRONMENTS / name / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _digest(installs)


def python_with(
    name: str, installs: Sequence[Sequence[str]], *, seconds: float = INSTALL_SECONDS
) -> Path:
    """The interpreter of the environment `name`; each of `installs` is one call of pip.

    Raises:
        InstallationError: venv or pip failed, or took more than `seconds`.
    """
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if installed(name, installs):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip of its own, whose unpacking takes longer than many a package's.
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], seconds)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    for arguments in installs:
        _run([*pip, "--disable-pip-version-check", "--no-input", *arguments], seconds)
    (folder / STAMP).write_text(_digest(installs), encoding="utf-8")
    return python


def _digest(installs: Sequence[Sequence[str]]) -> str:
    words = "\n".join(" ".join(arguments) for arguments in installs)
    return hashlib.sha256(f"{words}\n{sys.version}".encode()).hexdigest()


def _run(command: Sequence[str], seconds: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InstallationError(f"{' '.join(command[:6])} ... took over {seconds:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-5:]
        raise InstallationError("\n".join((f"{' '.join(command[:6])} ... failed:", *said)))
