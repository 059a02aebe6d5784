"""Every public name has a docstring: classes, functions, methods, properties and `*_async`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

MODULES = ("", ".errors", ".openai_api", ".testing", ".tokenizers", ".types")


def public_names(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", ())) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """The public members that classes of this package define, as `help` shows them."""
    for name in dir(owner):
        definer = next((base for base in owner.__mro__ if name in vars(base)), None)
        if name.startswith("_") or definer is None or "tinker_ext" not in definer.__module__:
            continue
        value = inspect.getattr_static(owner, name)
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if inspect.isfunction(value) or isinstance(value, property):
            yield name, value


def documented(name: str) -> Iterator[tuple[str, object]]:
    """The public classes and functions of a module, and the members of the classes."""
    module = importlib.import_module(f"tinker_ext{name}")
    for public in public_names(module):
        value = getattr(module, public)
        if inspect.isfunction(value) or (inspect.isclass(value) and "tinker" in value.__module__):
            yield f"{module.__name__}.{public}", value
            if inspect.isclass(value):
                for member, function in members(value):
                    yield f"{module.__name__}.{public}.{member}", function


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_docstrings(module: str) -> None:
    names = dict(documented(module))
    assert names
    assert [name for name, value in names.items() if not inspect.getdoc(value)] == []


def test_docstrings_of_async_methods_are_checked() -> None:
    names = [name for name, _ in documented("")]
    assert sum(name.endswith("_async") for name in names) > 40
