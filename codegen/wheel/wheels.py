"""Official wheels: downloaded once, checked against the lock file, read as text."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from codegen.documents import sha256
from codegen.paths import WHEEL_CACHE

DISTRIBUTION = "tinker"


class WheelError(Exception):
    """A wheel is not available, or its hash differs from the lock file."""


@dataclass(frozen=True)
class Wheel:
    """One release: its version, the hash of the wheel and the text of its Python modules.

    `modules` maps dotted module names (`tinker.types.datum`) to source texts. A package is named
    after its folder and listed in `packages`.
    """

    release: str
    sha256: str
    modules: dict[str, str]
    packages: frozenset[str]


def open_wheel(release: str, *, expected_sha256: str | None = None) -> Wheel:
    """Open the wheel of `release` from the cache or the package index."""
    path = wheel_path(release)
    digest = sha256(path.read_bytes())
    if expected_sha256 is not None and digest != expected_sha256:
        raise WheelError(
            f"{path.name} has sha256 {digest}, but openapi/lock.json has {expected_sha256}"
        )
    modules: dict[str, str] = {}
    packages: set[str] = set()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".py") or name.endswith("_test.py"):
                continue
            dotted = name.removesuffix(".py").replace("/", ".")
            if dotted.endswith(".__init__"):
                dotted = dotted.removesuffix(".__init__")
                packages.add(dotted)
            modules[dotted] = archive.read(name).decode("utf-8")
    return Wheel(release, digest, modules, frozenset(packages))


def wheel_path(release: str) -> Path:
    """The file of the wheel of `release`, downloaded into the cache on first use."""
    return _cached(release) or _fetch(release)


def _cached(release: str) -> Path | None:
    wheels = sorted(WHEEL_CACHE.glob(f"{DISTRIBUTION}-{release}-*.whl"))
    return wheels[0] if wheels else None


def _fetch(release: str) -> Path:
    WHEEL_CACHE.mkdir(parents=True, exist_ok=True)
    # Downloaded to a scratch folder and moved, so that other processes never see a partial file.
    with tempfile.TemporaryDirectory(dir=WHEEL_CACHE) as scratch:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--dest", scratch),
            f"{DISTRIBUTION}=={release}",
        ]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        for wheel in Path(scratch).glob("*.whl"):
            wheel.replace(WHEEL_CACHE / wheel.name)
    path = _cached(release)
    if outcome.returncode != 0 or path is None:
        reason = outcome.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise WheelError(
            f"The wheel of {DISTRIBUTION} {release} is not in {WHEEL_CACHE} and could not be "
            f"downloaded ({reason[0]}). Connect to the network, or put the wheel into that folder."
        )
    return path
