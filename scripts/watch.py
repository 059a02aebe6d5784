"""Whether PyPI has a newer release than the newest kept one, and what it would change.

Status 0: nothing new, or nothing that breaks; 1: something breaks or cannot be read; 2: PyPI cannot
be asked.
"""

from __future__ import annotations

import subprocess
import sys

from diff import document, print_table
from packaging.version import InvalidVersion, Version
from specification import build
from specification.changes import changes, of_rating
from specification.wheels import DISTRIBUTION, WheelError

MARK = "Available versions:"


def main() -> int:
    kept = build.kept_releases()[-1]
    try:
        newest = newest_release()
        if Version(newest) <= Version(kept):
            print(f"{kept} is the newest release, and it is kept.")
            return 0
        print(f"{newest} is newer than {kept}, the newest one kept. It would change:")
        made = build.contract(build.locked_wheel(newest))
    except WheelError as problem:
        print(problem, file=sys.stderr)
        return 2
    found = changes(document(kept), made.document)
    print_table(found)
    for gap in made.gaps:
        print(f"not read: {gap}")
    print(f"To keep it: make spec RELEASE={newest} (docs/regenerating.md)")
    return 1 if made.gaps or of_rating(found, "breaking") else 0


def newest_release() -> str:
    """The newest release on the package index that pip is set up with; no pre-releases."""
    command = (sys.executable, "-m", "pip", "index", "versions", DISTRIBUTION)
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    names = [line for line in outcome.stdout.splitlines() if line.startswith(MARK)]
    if outcome.returncode != 0 or not names:
        reason = outcome.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise WheelError(
            f"The package index could not be asked for releases of {DISTRIBUTION} ({reason[0]}). "
            "Watching needs the network."
        )
    releases = [name.strip() for name in names[0].removeprefix(MARK).split(",")]
    return max(filter(_is_final, releases), key=Version)


def _is_final(name: str) -> bool:
    try:
        return not Version(name).is_prerelease
    except InvalidVersion:
        return False


if __name__ == "__main__":
    sys.exit(main())
