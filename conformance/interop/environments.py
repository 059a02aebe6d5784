"""Virtual environments for the official SDKs: one per release and Python version, in `.venvs`."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".venvs" / f"interop-{platform.python_version()}"
REQUIREMENTS = HERE / "requirements.txt"
STUBS = HERE / "stubs"
# Servers depend on torch, jax or ray.
INSTALL_SECONDS = 1800.0
STAMP = "installed.sha256"
PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--no-compile")


class InstallationError(RuntimeError):
    """An environment could not be created; the message ends with the output of pip."""


def python_of(release: str) -> Path:
    """The interpreter of the environment with `tinker==release`, created on first use.

    The dependencies of the SDKs are installed once and shared by all environments. The first call
    takes half a minute and needs the package index.

    Raises:
        InstallationError: venv or pip failed.
    """
    shared = shared_python()
    python = _environment(f"tinker-{release}", [f"tinker=={release}"])
    link, shared_path = _packages(python) / "requirements.pth", f"{_packages(shared)}\n"
    # Only if it changes: an interpreter that starts during the write would read an empty file.
    if not link.is_file() or link.read_text(encoding="utf-8") != shared_path:
        link.write_text(shared_path, encoding="utf-8")
    return python


def shared_python() -> Path:
    """The interpreter of the environment with the dependencies of the SDKs, without any SDK.

    Raises:
        InstallationError: venv or pip failed.
    """
    return _environment("requirements", _lines(REQUIREMENTS.read_text(encoding="utf-8")))


def installed(name: str, requirements: Sequence[str], bare: Sequence[str] = ()) -> Path:
    """The interpreter of an environment with these packages and their dependencies.

    Packages in `bare` are installed last, without dependencies and whatever Python they declare.
    """
    return _environment(name, requirements, bare=bare, resolve=True)


def _environment(
    name: str, requirements: Sequence[str], *, bare: Sequence[str] = (), resolve: bool = False
) -> Path:
    """The interpreter of an environment with exactly these packages, or with their dependencies."""
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    fingerprint = hashlib.sha256(
        "\n".join((*requirements, *bare, sys.version)).encode()
    ).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip, which takes longer to unpack than half of the requirements.
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    _run(*pip, *PIP_OPTIONS, *(() if resolve else ("--no-deps",)), *requirements)
    if bare:
        _run(*pip, *PIP_OPTIONS, "--no-deps", "--ignore-requires-python", *bare)
    stamp.write_text(fingerprint, encoding="utf-8")
    return python


def _packages(python: Path) -> Path:
    """The site-packages folder of an environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return python.parents[1] / "lib" / version / "site-packages"


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def variables(**extra: str) -> dict[str, str]:
    """The environment variables of a driver, without any of the caller's that SDKs read."""
    inherited = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR")
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "PYTHONPATH": str(STUBS),
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "*",
        **extra,
    }


def _run(*command: str) -> None:
    outcome = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    if outcome.returncode != 0:
        output = outcome.stderr.strip().splitlines()[-5:]
        raise InstallationError("\n".join((f"{' '.join(command[:4])} ... failed:", *output)))
