"""Lists the public names of the package DRIVER_PACKAGE and their parameters. Sends no request."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import os
from types import ModuleType, SimpleNamespace
from typing import Any

from steps import run_steps

PACKAGE = os.environ.get("DRIVER_PACKAGE", "tinker")
# The modules and attributes that pydantic adds to models.
FOREIGN = ("tinker._models",)
FRAMEWORK = {"model_config"}
_MARKS = {
    inspect.Parameter.KEYWORD_ONLY: "*",
    inspect.Parameter.VAR_POSITIONAL: "*args ",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def package(state: Any) -> Any:
    return names_of(PACKAGE)


def types(state: Any) -> Any:
    return names_of(f"{PACKAGE}.types")


def names_of(module: str) -> dict[str, Any]:
    """The public names of a module; classes with their members."""
    imported = importlib.import_module(module)
    names = getattr(imported, "__all__", None) or [
        name for name in dir(imported) if not name.startswith("_")
    ]
    public = {name: getattr(imported, name) for name in sorted(names)}
    return {
        name: _describe(value) for name, value in public.items() if not _is_noise(module, value)
    }


def _is_noise(module: str, value: Any) -> bool:
    """Submodules and features of `__future__`, which `import *` would bring along."""
    is_submodule = isinstance(value, ModuleType) and module != PACKAGE
    return is_submodule or type(value).__module__ == "__future__"


def _describe(value: Any) -> Any:
    if isinstance(value, ModuleType):
        names = getattr(value, "__all__", ()) if not value.__name__.endswith(".types") else ()
        return {"members": {name: parameters(getattr(value, name)) for name in names}}
    if not inspect.isclass(value) or not value.__module__.startswith(PACKAGE):
        return None
    # The constructor of an enumeration belongs to the Python version, not to the package.
    constructor = None if issubclass(value, enum.Enum) else parameters(value)
    return {"constructor": constructor, "members": _members(value)}


def _members(kind: type) -> dict[str, Any]:
    """The methods with their parameters, and the other public attributes."""
    own = [base for base in kind.__mro__ if _is_own(base)]
    members: dict[str, Any] = {}
    for base in own:
        for name in (*vars(base), *vars(base).get("__annotations__", ())):
            if name.startswith("_") or name in members or name in FRAMEWORK | _hooks(kind):
                continue
            value = inspect.getattr_static(kind, name, None)
            method = isinstance(value, staticmethod | classmethod) or inspect.isfunction(value)
            members[name] = parameters(getattr(kind, name)) if method else None
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    members |= {item.name: None for item in fields if not item.name.startswith("_")}
    return dict(sorted(members.items()))


def _is_own(kind: type) -> bool:
    return kind.__module__.startswith(PACKAGE) and not kind.__module__.startswith(FOREIGN)


def _hooks(kind: type) -> set[str]:
    """Methods that pydantic calls."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    if decorators is None:
        return set()
    kinds = ("validators", "field_validators", "field_serializers", "model_validators")
    return {name for hook in kinds for name in getattr(decorators, hook)}


def parameters(function: Any) -> list[str] | None:
    """`name` for a required parameter, `name=` for an optional one, `*name` for keyword-only."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return [
        _MARKS.get(item.kind, "") + item.name + ("" if item.default is item.empty else "=")
        for item in signature.parameters.values()
        if item.name not in ("self", "cls") and not item.name.startswith("_")
    ]


if __name__ == "__main__":
    run_steps([package, types], SimpleNamespace())
