"""Make the specification: `python scripts/spec.py 0.38.0`.

With a release, its contract joins those kept in `openapi/releases/`; without one, the kept releases
are made anew. Either way `openapi/tinker.yaml`, the tolerant union the bindings are made from, the
reports beside it and `openapi/lock.json` follow. What of the release the overlay has no text for is
listed.

With `--to FOLDER` the release is read on trial: its document goes there, nothing in `openapi/`
changes, and what could not be read or does not fit the overlay is listed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openapi_spec_validator import validate

from codegen import build
from codegen.contract.overlay import OverlayError, idle_actions
from codegen.contract.release import ReconstructionError, read_contract, undescribed
from codegen.documents import dump_yaml, load_yaml
from codegen.lock import lock_files, lock_wheel, locked_wheel
from codegen.paths import OVERLAY, RELEASES, ROOT
from codegen.wheel.wheels import WheelError

if TYPE_CHECKING:
    from codegen.documents import Json


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("releases", nargs="*", help="releases of tinker on PyPI")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="read on trial, keep nothing")
    given = parser.parse_args()
    try:
        if given.to is not None:
            return max(try_release(release, given.to) for release in given.releases)
        return keep(given.releases)
    except (WheelError, OverlayError, ReconstructionError) as problem:
        print(problem, file=sys.stderr)
        return 1


def keep(more: list[str]) -> int:
    releases = {*build.kept_releases(), *more}
    made = build.build_all(releases)
    RELEASES.mkdir(exist_ok=True)
    for path, text in made.texts.items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    for release in more:
        tell_undescribed(made.documents[RELEASES / f"{release}.yaml"])
    for kept in sorted(releases):
        lock_wheel(locked_wheel(kept))
    lock_files(made.texts)
    return 0


def try_release(release: str, folder: Path) -> int:
    made = read_contract(locked_wheel(release))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{release}.yaml"
    path.write_text(dump_yaml(made.document, header=build.TRIAL_HEADER), encoding="utf-8")
    validate(made.document)
    operations = sum(len(item) for item in made.document["paths"].values())
    print(f"{path}: {operations} operations, {len(made.document['components']['schemas'])} types")
    for gap in made.gaps:
        print(f"not read: {gap}")
    tell_undescribed(made.document)
    for line in idle_actions(load_yaml(OVERLAY), made.effects):
        print(f"does not fit: {line}")
    return 1 if made.gaps else 0


def tell_undescribed(document: Json) -> None:
    for line in undescribed(document):
        print(f"no text: {line}")
