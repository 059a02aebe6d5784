"""Report whether PyPI has a newer release than those kept, and the changes it would bring.

Exit status 0: no new release, or no breaking change; 1: a breaking change, or parts that could not
be read; 2: PyPI is not available.
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
    newest_kept = build.kept_releases()[-1]
    try:
        newest = newest_release()
        if Version(newest) <= Version(newest_kept):
            print(f"{newest_kept} is the newest release, and its contract is kept.")
            return 0
        print(f"{newest} is newer than {newest_kept}, the newest release kept. Changes:")
        contract = read_contract(locked_wheel(newest))
    except WheelError as problem:
        print(problem, file=sys.stderr)
        return 2
    differences = changes(document(newest_kept), contract.document)
    print_table(differences)
    for gap in contract.gaps:
        print(f"not read: {gap}")
    print(f"To keep it: make spec generate RELEASE={newest} (docs/regenerating.md)")
    return 1 if contract.gaps or of_rating(differences, "breaking") else 0
