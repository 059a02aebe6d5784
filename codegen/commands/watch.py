"""Whether PyPI has a newer release than the newest kept one, and what it would change.

Status 0: nothing new, or nothing that breaks; 1: something breaks or cannot be read; 2: PyPI cannot
be asked.
"""

from __future__ import annotations

import sys

from packaging.version import Version

from codegen import build
from codegen.commands.diff import document, print_table
from codegen.contract.release import read_contract
from codegen.lock import locked_wheel
from codegen.releases.contract_diff import changes, of_rating
from codegen.wheel.pypi import newest_release
from codegen.wheel.wheels import WheelError


def main() -> int:
    kept = build.kept_releases()[-1]
    try:
        newest = newest_release()
        if Version(newest) <= Version(kept):
            print(f"{kept} is the newest release, and it is kept.")
            return 0
        print(f"{newest} is newer than {kept}, the newest one kept. It would change:")
        made = read_contract(locked_wheel(newest))
    except WheelError as problem:
        print(problem, file=sys.stderr)
        return 2
    found = changes(document(kept), made.document)
    print_table(found)
    for gap in made.gaps:
        print(f"not read: {gap}")
    print(f"To keep it: make spec RELEASE={newest} (docs/regenerating.md)")
    return 1 if made.gaps or of_rating(found, "breaking") else 0
