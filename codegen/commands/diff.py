"""List the changes between two releases: `python scripts/diff.py 0.4.1 0.38.0`.

Prints a table, and exits with 1 if there is a breaking change. A release that is not kept in
`openapi/releases/` is read from its wheel. An argument can also be the path of a document.
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
    options = parser.parse_args()
    try:
        differences = changes(document(options.old), document(options.new))
    except WheelError as error:
        print(error, file=sys.stderr)
        return 2
    print_table(differences)
    return 1 if of_rating(differences, "breaking") else 0


def document(name: str) -> Json:
    """The contract of a release, kept or read from its wheel, or the document at a path."""
    if Path(name).is_file():
        return load_yaml(Path(name))
    path = RELEASES / f"{name}.yaml"
    return load_yaml(path) if path.exists() else read_contract(locked_wheel(name)).document


def print_table(differences: list[Change]) -> None:
    width = max((len(change.where) for change in differences), default=0)
    for rating in RATINGS:
        for change in of_rating(differences, rating):
            print(f"{rating:9} {change.where:{width}}  {change.what}")
    counts = (f"{len(of_rating(differences, rating))} {rating}" for rating in RATINGS)
    print(", ".join(counts))
