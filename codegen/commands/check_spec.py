"""Check that `openapi/` is valid, and what the wheels and the overlay give.

All that `make spec` makes is made anew and compared byte for byte; the hashes in
`openapi/lock.json` are checked as well. The network is needed for a wheel that is not in
`.cache/wheels` only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from openapi_spec_validator import validate

from codegen import build
from codegen.contract.overlay import OverlayError
from codegen.contract.release import ReconstructionError
from codegen.documents import sha256
from codegen.emit.compare import text_differences
from codegen.lock import read_lock, tool_versions
from codegen.paths import OPENAPI
from codegen.wheel.wheels import WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    try:
        found = [*_specifications(), *_hashes()]
    except (WheelError, OverlayError, ReconstructionError) as problem:
        found = [str(problem)]
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("openapi/ is not what its sources give: run `make spec`", file=sys.stderr)
    return 1 if found else 0


def _specifications() -> Iterator[str]:
    made = build.build_all(build.kept_releases())
    for document in made.documents.values():
        validate(document)
    for path, text in made.texts.items():
        yield from text_differences(text, path)


def _hashes() -> Iterator[str]:
    lock = read_lock()
    for release in build.kept_releases():
        if release not in lock["wheels"]:
            yield f"openapi/lock.json has no hash for the wheel of {release}"
    for name, expected in lock["files"].items():
        if sha256((OPENAPI / name).read_bytes()) != expected:
            yield f"{name}: not the file whose hash is in openapi/lock.json"
    for name, expected in lock["tools"].items():
        installed = tool_versions()[name]
        if installed != expected:
            yield f"{name} {installed} is installed, but openapi/lock.json has {expected}"
