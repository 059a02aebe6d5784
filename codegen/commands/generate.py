"""Generate the bindings in `generated/tinker_api` from `openapi/tinker.yaml`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from codegen.emit.bindings import GenerationError, generate_package
from codegen.paths import GENERATED, PACKAGE_NAME, ROOT


def main() -> int:
    target = GENERATED / PACKAGE_NAME
    with tempfile.TemporaryDirectory() as scratch:
        try:
            package = generate_package(Path(scratch))
        except GenerationError as error:
            print(error, file=sys.stderr)
            return 1
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(package, target)
    print(target.relative_to(ROOT))
    return 0
