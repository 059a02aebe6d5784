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
    return all_releases()[-1]


def all_releases() -> list[str]:
    """All final releases on the package index that pip uses, oldest first.

    Raises:
        WheelError: the index is not available.
    """
    command = (sys.executable, "-m", "pip", "index", "versions", DISTRIBUTION)
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    releases = final_releases(outcome.stdout)
    if outcome.returncode != 0 or not releases:
        reason = outcome.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise WheelError(
            f"Could not list the releases of {DISTRIBUTION} on the package index ({reason[0]}). "
            "`make watch` needs the network, and so does `make oracle`."
        )
    return releases


def final_releases(listing: str) -> list[str]:
    """The final releases in the output of `pip index versions`, oldest first."""
    lines = [line for line in listing.splitlines() if line.startswith(MARK)]
    names = lines[0].removeprefix(MARK).split(",") if lines else []
    return sorted((name.strip() for name in names if _is_final(name.strip())), key=Version)


def _is_final(name: str) -> bool:
    try:
        return not Version(name).is_prerelease
    except InvalidVersion:
        return False
