"""Build the specification: `python scripts/spec.py 0.38.0`.

Builds the contracts of the releases kept in `openapi/releases/` and of those given as arguments,
then `openapi/tinker.yaml` (the tolerant union, from which the bindings are generated), the reports
beside it, and `openapi/lock.json`. Lists the elements of a new release without a description.

With `--to FOLDER` it only tries the releases: their documents are written to FOLDER, `openapi/`
does not change, and the parts that could not be read or do not match the overlay are listed.
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
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="write the contracts to FOLDER and change nothing else",
    )
    options = parser.parse_args()
    try:
        if options.to is not None:
            return max(try_release(release, options.to) for release in options.releases)
        return keep(options.releases)
    except (WheelError, OverlayError, ReconstructionError) as problem:
        print(problem, file=sys.stderr)
        return 1


def keep(added: list[str]) -> int:
    releases = {*build.kept_releases(), *added}
    result = build.build_all(releases)
    RELEASES.mkdir(exist_ok=True)
    for path, text in result.texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    for release in added:
        report_undescribed(result.documents[RELEASES / f"{release}.yaml"])
    for release in sorted(releases):
        lock_wheel(locked_wheel(release))
    lock_files(result.texts)
    return 0


def try_release(release: str, folder: Path) -> int:
    contract = read_contract(locked_wheel(release))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{release}.yaml"
    path.write_text(dump_yaml(contract.document, header=build.TRIAL_HEADER), encoding="utf-8")
    validate(contract.document)
    operations = sum(len(item) for item in contract.document["paths"].values())
    print(
        f"{path}: {operations} operations, {len(contract.document['components']['schemas'])} types"
    )
    for gap in contract.gaps:
        print(f"not read: {gap}")
    report_undescribed(contract.document)
    for line in idle_actions(load_yaml(OVERLAY), contract.effects):
        print(f"does not match: {line}")
    return 1 if contract.gaps else 0


def report_undescribed(document: Json) -> None:
    for line in undescribed(document):
        print(f"no text: {line}")
