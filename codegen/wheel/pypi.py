"""The releases on the package index."""

from __future__ import annotations

import subprocess
import sys

from packaging.version import InvalidVersion, Version

from codegen.wheel.wheels import DISTRIBUTION, WheelError

MARK = "Available versions:"


def newest_release() -> str:
    """The newest final release on the package index that pip uses.

    Raises:
        WheelError: the index is not available.
    """
    command = (sys.executable, "-m", "pip", "index", "versions", DISTRIBUTION)
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    newest = newest_of(outcome.stdout)
    if outcome.returncode != 0 or newest is None:
        reason = outcome.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise WheelError(
            f"Could not list the releases of {DISTRIBUTION} on the package index ({reason[0]}). "
            "`make watch` needs the network."
        )
    return newest


def newest_of(listing: str) -> str | None:
    """The newest final release in the output of `pip index versions`."""
    lines = [line for line in listing.splitlines() if line.startswith(MARK)]
    names = lines[0].removeprefix(MARK).split(",") if lines else []
    final = [name.strip() for name in names if _is_final(name.strip())]
    return max(final, key=Version, default=None)


def _is_final(name: str) -> bool:
    try:
        return not Version(name).is_prerelease
    except InvalidVersion:
        return False
