"""Check that `openapi/` is valid and up to date with the wheels and the overlay.

Rebuilds all generated files, compares them byte for byte, and checks the hashes in
`openapi/lock.json`. Needs the network only for wheels that are not in `.cache/wheels`.
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
        problems = [*_specifications(), *_hashes()]
    except (WheelError, OverlayError, ReconstructionError) as error:
        problems = [str(error)]
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        print("openapi/ is not up to date with its sources: run `make spec`", file=sys.stderr)
    return 1 if problems else 0


def _specifications() -> Iterator[str]:
    result = build.build_all(build.kept_releases())
    for document in result.documents.values():
        validate(document)
    for path, text in result.texts.items():
        yield from text_differences(text, path)


def _hashes() -> Iterator[str]:
    lock = read_lock()
    for release in build.kept_releases():
        if release not in lock["wheels"]:
            yield f"openapi/lock.json has no hash for the wheel of {release}"
    for name, expected in lock["files"].items():
        if sha256((OPENAPI / name).read_bytes()) != expected:
            yield f"{name}: the hash differs from the one in openapi/lock.json"
    for name, expected in lock["tools"].items():
        installed = tool_versions()[name]
        if installed != expected:
            yield f"{name} {installed} is installed, but openapi/lock.json has {expected}"
