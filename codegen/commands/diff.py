"""What changed from one release to another: `python scripts/diff.py 0.4.1 0.38.0`.

Prints a table and ends with status 1 if something breaks. A release that is not kept in
`openapi/releases/` is read from its wheel; a path to a document is taken, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.contract.release import read_contract
from codegen.documents import load_yaml
from codegen.lock import locked_wheel
from codegen.paths import RELEASES
from codegen.releases.contract_diff import RATINGS, changes, of_rating
from codegen.wheel.wheels import WheelError

if TYPE_CHECKING:
    from codegen.documents import Json
    from codegen.releases.schema_diff import Change


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", metavar="FROM", help="a release, or a document")
    parser.add_argument("new", metavar="TO", help="a release, or a document")
    given = parser.parse_args()
    try:
        found = changes(document(given.old), document(given.new))
    except WheelError as problem:
        print(problem, file=sys.stderr)
        return 2
    print_table(found)
    return 1 if of_rating(found, "breaking") else 0


def document(name: str) -> Json:
    """The contract of a release, kept or read now, or the document at a path."""
    if Path(name).is_file():
        return load_yaml(Path(name))
    kept = RELEASES / f"{name}.yaml"
    return load_yaml(kept) if kept.exists() else read_contract(locked_wheel(name)).document


def print_table(found: list[Change]) -> None:
    width = max((len(change.where) for change in found), default=0)
    for rating in RATINGS:
        for change in of_rating(found, rating):
            print(f"{rating:9} {change.where:{width}}  {change.what}")
    counts = (f"{len(of_rating(found, rating))} {rating}" for rating in RATINGS)
    print(", ".join(counts))
