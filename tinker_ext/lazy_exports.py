"""Exports of a package that are imported on first use.

The package's stub (`__init__.pyi`) is their only list: type checkers and editors read it, and at
run time its import lines name the module of each export.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module

_IMPORT = re.compile(r"^from (\S+) import (?:\(\s*)?(\w+) as \2\b", re.MULTILINE)


def lazy_exports(
    package: str, file: str
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of the package with this name and `__init__.py`."""
    with open(file.rpartition(".")[0] + ".pyi", encoding="utf-8") as stub:
        modules = {name: module for module, name in _IMPORT.findall(stub.read())}
    names = sorted(modules)

    def getattr_(name: str) -> object:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if module == package:
            return import_module(f"{package}.{name}")
        value = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    return names, getattr_, lambda: list(names)
