"""The public names of a client's package, with what they take; nothing is sent.

Runs in the environment of any client; DRIVER_PACKAGE says which package to look at.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import os
from types import ModuleType, SimpleNamespace
from typing import Any

from steps import Steps

step = Steps()

PACKAGE = os.environ.get("DRIVER_PACKAGE", "tinker")
# What pydantic gives its models, and whole packages of such.
FOREIGN = ("tinker._models",)
FRAMEWORK = {"model_config"}
_MARKS = {
    inspect.Parameter.KEYWORD_ONLY: "*",
    inspect.Parameter.VAR_POSITIONAL: "*args ",
    inspect.Parameter.VAR_KEYWORD: "**",
}


@step
def package(state: Any) -> Any:
    return names_of(PACKAGE)


@step
def types(state: Any) -> Any:
    return names_of(f"{PACKAGE}.types")


def names_of(module: str) -> dict[str, Any]:
    """The public names of a module: classes by their parts, all else by its name."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [n for n in dir(found) if not n.startswith("_")]
    public = {name: getattr(found, name) for name in sorted(names)}
    return {name: _told(value) for name, value in public.items() if not _is_noise(module, value)}


def _is_noise(module: str, value: Any) -> bool:
    """What a star would import without anybody meaning it: submodules, __future__'s features."""
    imported = isinstance(value, ModuleType) and module != PACKAGE
    return imported or type(value).__module__ == "__future__"


def _told(value: Any) -> Any:
    if isinstance(value, ModuleType):
        names = getattr(value, "__all__", ()) if not value.__name__.endswith(".types") else ()
        return {"members": {name: parameters(getattr(value, name)) for name in names}}
    if not inspect.isclass(value) or not value.__module__.startswith(PACKAGE):
        return None
    # An enumeration's class is called as the version of Python has it, and not as the package does.
    made = None if issubclass(value, enum.Enum) else parameters(value)
    return {"made": made, "members": _members(value)}


def _members(kind: type) -> dict[str, Any]:
    """Its methods with what they take, and its other public attributes."""
    own = [one for one in kind.__mro__ if _is_own(one)]
    found: dict[str, Any] = {}
    for one in own:
        for name in (*vars(one), *vars(one).get("__annotations__", ())):
            if name.startswith("_") or name in found or name in FRAMEWORK | _hooks(kind):
                continue
            value = inspect.getattr_static(kind, name, None)
            method = isinstance(value, staticmethod | classmethod) or inspect.isfunction(value)
            found[name] = parameters(getattr(kind, name)) if method else None
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    found |= {one.name: None for one in fields if not one.name.startswith("_")}
    return dict(sorted(found.items()))


def _is_own(kind: type) -> bool:
    return kind.__module__.startswith(PACKAGE) and not kind.__module__.startswith(FOREIGN)


def _hooks(kind: type) -> set[str]:
    """Methods that are pydantic's to call."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    if decorators is None:
        return set()
    kinds = ("validators", "field_validators", "field_serializers", "model_validators")
    return {name for one in kinds for name in getattr(decorators, one)}


def parameters(function: Any) -> list[str] | None:
    """`name` of what has to be given, `name=` of what may; `*name` of what only goes by name."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        _MARKS.get(one.kind, "") + one.name + ("" if one.default is one.empty else "=")
        for one in found
        if one.name not in ("self", "cls") and not one.name.startswith("_")
    ]


if __name__ == "__main__":
    step.run(SimpleNamespace())
