"""The source of a release of tinker-cookbook, and an environment in which it runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from typing import TYPE_CHECKING

from attrs import frozen

from conformance.interop.environments import PIP_OPTIONS, ROOT, InstallationError, installed

if TYPE_CHECKING:
    from pathlib import Path

#: The newest release, and an earlier one for each API that its recipes have had.
VERSIONS = ("0.6.1", "0.5.0", "0.3.0")
OFFICIAL = "tinker==0.38.0"
#: The newest release that the cookbook has been tried with; some indexes have a smaller CPU build.
TORCH = "torch==2.13.0"
TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout")

SOURCES = ROOT / ".cache" / "cookbook"


@frozen
class Cookbook:
    """A release of the cookbook, ready to run.

    Attributes:
        version: the release.
        source: the folder of the source distribution, which has the unit tests; wheels don't.
        python: the interpreter with its requirements, the official SDK and this package.
    """

    version: str
    source: Path
    python: Path


def install(version: str) -> Cookbook:
    """Download the release and install its requirements; the first time this takes minutes.

    Raises:
        InstallationError: pip failed.
    """
    source = download(version)
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [
        *(_available(item) for item in project["dependencies"] if not _is_official(item)),
        *project["optional-dependencies"].get("math-rl", ()),
    ]
    python = installed(
        f"cookbook-{version}",
        [OFFICIAL, TORCH, *TOOLS, *requirements, "--editable", f"{ROOT}[embedded]"],
    )
    return Cookbook(version, source, python)


def download(version: str) -> Path:
    """The extracted source distribution of a release.

    Raises:
        InstallationError: pip could not download it.
    """
    folder = SOURCES / f"tinker_cookbook-{version}"
    if folder.is_dir():
        return folder
    SOURCES.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", *PIP_OPTIONS[:2], "--no-deps"),
        *("--no-binary", "tinker-cookbook", "--dest", str(SOURCES), f"tinker-cookbook=={version}"),
    ]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    archive = SOURCES / f"tinker_cookbook-{version}.tar.gz"
    if not archive.is_file():
        raise InstallationError(f"pip download tinker-cookbook=={version}:\n{outcome.stderr}")
    scratch = SOURCES / f"extracting-{version}"
    shutil.rmtree(scratch, ignore_errors=True)
    with tarfile.open(archive) as content:
        content.extractall(scratch, filter="data")
    (scratch / folder.name).replace(folder)
    scratch.rmdir()
    return folder


def _is_official(requirement: str) -> bool:
    return re.match(r"tinker\b(?!-)", requirement) is not None


def _available(requirement: str) -> str:
    """The requirement, without the lower bound of a package whose newer releases are not public."""
    return "tml-renderers" if requirement.startswith("tml-renderers") else requirement
