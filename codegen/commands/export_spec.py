"""The specification for others: `python scripts/portable.py lint | typescript | openapi30 | docs`.

    lint        spectral and redocly find no fault with it
    typescript  types for TypeScript, and a client on them that `tsc --strict` accepts
    openapi30   the specification in OpenAPI 3.0
    docs        one HTML page that needs nothing else

What is made goes to `dist/openapi/`. The tools in JavaScript are those of
`scripts/node/package-lock.json`; they are installed once, which needs npm and the network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING

from openapi_spec_validator import OpenAPIV30SpecValidator

from codegen import npm
from codegen.documents import dump_yaml, load_yaml
from codegen.emit.downgrade import downgraded
from codegen.npm import ToolError
from codegen.paths import RELEASES, ROOT, SPECIFICATION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NODE = ROOT / "scripts" / "node"
OUT = ROOT / "dist" / "openapi"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("task", choices=TASKS, nargs="+")
    try:
        for task in parser.parse_args().task:
            TASKS[task]()
    except ToolError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def lint() -> None:
    documents = [str(path) for path in (SPECIFICATION, *sorted(RELEASES.glob("*.yaml")))]
    rules = str(NODE / "spectral.yaml")
    run("spectral", "lint", "--quiet", "--fail-severity", "warn", "--ruleset", rules, *documents)
    run("redocly", "lint", "--config", str(NODE / "redocly.yaml"), *documents)
    print(f"spectral and redocly: {len(documents)} documents without a fault")


def typescript() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    run("openapi-typescript", str(SPECIFICATION), "--output", str(OUT / "tinker.d.ts"))
    shutil.copy(NODE / "client.ts", OUT / "client.ts")
    # The compiler looks for the packages above the file it reads.
    modules = OUT / "node_modules"
    if not modules.exists():
        modules.symlink_to(os.path.relpath(NODE / "node_modules", OUT))
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext")
    run("tsc", *options, "--moduleResolution", "nodenext", str(OUT / "client.ts"))
    print(f"{relative(OUT / 'tinker.d.ts')}, and a client on it: tsc --strict has no complaint")


def openapi30() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    made = downgraded(load_yaml(SPECIFICATION))
    faults = [str(error.message) for error in OpenAPIV30SpecValidator(made).iter_errors()]
    if faults:
        raise ToolError("\n".join(["not valid OpenAPI 3.0:", *faults]))
    path = OUT / "tinker-3.0.yaml"
    path.write_text(dump_yaml(made, header="Do not edit. Made from openapi/tinker.yaml."), "utf-8")
    print(relative(path))


def docs() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    page = OUT / "tinker.html"
    run("redocly", "build-docs", "--inlineBundle", str(SPECIFICATION), "--output", str(page))
    print(f"{relative(page)}: {page.stat().st_size / 1e6:.1f} MB, needs nothing else")


TASKS: dict[str, Callable[[], None]] = {
    "lint": lint,
    "typescript": typescript,
    "openapi30": openapi30,
    "docs": docs,
}


def run(tool: str, *arguments: str) -> None:
    """Run a tool of `scripts/node`; raises ToolError with what it said if it fails."""
    npm.run(NODE, tool, *arguments, environment=QUIET)


def relative(path: Path) -> Path:
    return path.relative_to(ROOT)
