"""Virtual environments for the official SDKs: one per release, made once, kept in `.venvs`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venvs"
REQUIREMENTS = HERE / "requirements.txt"
STUBS = HERE / "stubs"
STAMP = "installed.sha256"


class InstallationError(RuntimeError):
    """An environment could not be made; the message has pip's last words."""


def python_of(release: str) -> Path:
    """The interpreter of the environment with `tinker==release`, made first if it is not there.

    The first time takes half a minute and needs the package index.

    Raises:
        InstallationError: venv or pip failed.
    """
    folder = ENVIRONMENTS / f"tinker-{release}"
    python = folder / "bin" / "python"
    wanted = _fingerprint(release)
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip, whose unpacking takes longer than that of half the requirements.
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    options = ("--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile")
    _run(*pip, *options, "--requirement", str(REQUIREMENTS), f"tinker=={release}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def variables(**extra: str) -> dict[str, str]:
    """The environment variables a driver runs with: nothing of the caller's that SDKs read."""
    kept = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONPATH": str(STUBS),
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "*",
        **extra,
    }


def _fingerprint(release: str) -> str:
    """Changes when what is to be installed, or the interpreter, changes."""
    parts = (REQUIREMENTS.read_text(encoding="utf-8"), release, sys.version)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if outcome.returncode != 0:
        said = outcome.stderr.strip().splitlines()[-5:]
        raise InstallationError("\n".join((f"{' '.join(command[:4])} ... failed:", *said)))
