"""Runs `inspect_package.py` on the official package of a release, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.documents import sha256
from codegen.paths import ROOT
from codegen.wheel.wheels import wheel_path
from conformance.interop.environments import STUBS, shared_python, variables

if TYPE_CHECKING:
    from codegen.documents import Json

HERE = Path(__file__).parent
INSPECTOR = HERE.parent / "interop" / "drivers" / "inspect_package.py"
OWN_STUBS = HERE / "stubs"
CACHE = ROOT / ".cache" / "oracle"
SECONDS = 300.0


class InspectionError(RuntimeError):
    """The package could not be imported or called."""


def inspect(release: str) -> Json:
    """The models and requests of the package of `release`, from the cache if nothing changed.

    Raises:
        InspectionError: the script failed; the message ends with its output.
        WheelError: the wheel is not available.
    """
    wheel = wheel_path(release)
    key = sha256(wheel.read_bytes() + INSPECTOR.read_bytes())
    report = CACHE / f"{release}-{key[:16]}.json"
    if not report.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for stale in CACHE.glob(f"{release}-*.json"):
            stale.unlink()
        report.write_text(_run(release, wheel), encoding="utf-8")
    facts: Json = json.loads(report.read_text(encoding="utf-8"))
    return facts


def _run(release: str, wheel: Path) -> str:
    """The report of the script. A pure Python wheel is installed by unpacking it."""
    folder = CACHE / "packages" / release
    if not folder.exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    outcome = subprocess.run(
        [str(shared_python()), str(INSPECTOR)],
        env=variables(PYTHONPATH=f"{folder}:{STUBS}:{OWN_STUBS}", PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if outcome.returncode != 0:
        output = "\n".join(outcome.stderr.strip().splitlines()[-5:])
        raise InspectionError(f"the package of {release} could not be inspected:\n{output}")
    return outcome.stdout
