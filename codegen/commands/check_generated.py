"""Check that `generated/tinker_api` is up to date: generate it again and compare."""

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
        except GenerationError as error:
            print(error, file=sys.stderr)
            return 1
        stale = differences(fresh, GENERATED / PACKAGE_NAME)
    for line in stale:
        print(line, file=sys.stderr)
    if stale:
        print(
            "generated/ is not up to date with openapi/tinker.yaml: run `make generate`",
            file=sys.stderr,
        )
    return 1 if stale else 0
