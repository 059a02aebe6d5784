"""The modules of the official SDKs and the public names that they define, read from the wheels."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

from codegen.wheel.wheels import open_wheel
from conformance.interop.public_names import RECORDS, RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    #: Modules by name, with the names that each defines.
    Modules = Mapping[str, list[str]]

RECORD = RECORDS / "modules.json"
#: Names at the top of a module that are not meant for other modules.
INTERNAL = frozenset({"logger", "log"})


def modules_of_wheels() -> Modules:
    """The modules of all compared releases, without the tests that wheels contain."""
    names: dict[str, set[str]] = {}
    for release in RELEASES:
        for module, text in open_wheel(release).modules.items():
            names.setdefault(module, set()).update(_defined(ast.parse(text)))
    return {module: sorted(names[module]) for module in sorted(names)}


def recorded_modules() -> Modules:
    """The modules as `make names` has recorded them."""
    modules: Modules = json.loads(RECORD.read_text(encoding="utf-8"))
    return modules


def as_text(modules: Modules) -> str:
    """The content of the record, with one line per module."""
    lines = (f" {json.dumps(module)}: {json.dumps(names)}" for module, names in modules.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _defined(tree: ast.Module) -> Iterator[str]:
    """Public classes, functions and variables; no type variables of one letter."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (n for n in names if n[0] != "_" and len(n) > 1 and n not in INTERNAL)
