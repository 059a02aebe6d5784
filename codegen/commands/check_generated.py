"""Check that `generated/tinker_api` is what the specification gives: made anew and compared."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from codegen.emit.bindings import GenerationError, generate_package
from codegen.emit.compare import differences
from codegen.paths import GENERATED, PACKAGE_NAME


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            fresh = generate_package(Path(scratch))
        except GenerationError as problem:
            print(problem, file=sys.stderr)
            return 1
        found = differences(fresh, GENERATED / PACKAGE_NAME)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print(
            "generated/ is not what openapi/tinker.yaml gives: run `make generate`", file=sys.stderr
        )
    return 1 if found else 0
