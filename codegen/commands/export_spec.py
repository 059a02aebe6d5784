"""Lint or convert the specification: `export_spec.py lint | typescript | docs`.

    lint        checks it with spectral and redocly
    typescript  writes TypeScript types, and compiles a client that uses them with `tsc --strict`
    docs        writes the API reference, with recorded examples, as one self-contained HTML page

The output goes to `dist/openapi/`. The JavaScript tools are those of
`scripts/node/package-lock.json`; installing them once needs npm and the network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING

from codegen import npm
from codegen.documents import dump_json, load_json, load_yaml
from codegen.emit.portable import with_examples
from codegen.npm import ToolError
from codegen.paths import EXAMPLES, PORTABLE30, PORTABLE31, RELEASES, ROOT, SPECIFICATION

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
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def lint() -> None:
    contracts = sorted(RELEASES.glob("*.yaml"))
    documents = [str(path) for path in (SPECIFICATION, PORTABLE31, PORTABLE30, *contracts)]
    rules = str(NODE / "spectral.yaml")
    run("spectral", "lint", "--quiet", "--fail-severity", "warn", "--ruleset", rules, *documents)
    run("redocly", "lint", "--config", str(NODE / "redocly.yaml"), *documents)
    print(f"spectral and redocly: no problems in {len(documents)} documents")


def typescript() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    run("openapi-typescript", str(PORTABLE31), "--output", str(OUT / "tinker.d.ts"))
    shutil.copy(NODE / "client.ts", OUT / "client.ts")
    # The compiler searches for packages in the folders above its input file.
    modules = OUT / "node_modules"
    if not modules.exists():
        modules.symlink_to(os.path.relpath(NODE / "node_modules", OUT))
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext")
    run("tsc", *options, "--moduleResolution", "nodenext", str(OUT / "client.ts"))
    print(f"{relative(OUT / 'tinker.d.ts')}, and a client for it: tsc --strict reports no errors")


def docs() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    page, source = OUT / "tinker.html", OUT / "tinker-with-examples.json"
    document = with_examples(load_yaml(SPECIFICATION), load_json(EXAMPLES))
    source.write_text(dump_json(document), encoding="utf-8")
    run("redocly", "build-docs", "--inlineBundle", str(source), "--output", str(page))
    print(f"{relative(page)}: {page.stat().st_size / 1e6:.1f} MB, self-contained")


TASKS: dict[str, Callable[[], None]] = {
    "lint": lint,
    "typescript": typescript,
    "docs": docs,
}


def run(tool: str, *arguments: str) -> None:
    """Run a tool of `scripts/node`; raises ToolError with its output if it fails."""
    npm.run(NODE, tool, *arguments, environment=QUIET)


def relative(path: Path) -> Path:
    return path.relative_to(ROOT)
