"""Finds the HTTP calls in a wheel by the literal path in the call.

They occur in resource classes (`self._post("/api/v1/...")`) and public interfaces
(`client.get(f"/api/v1/...")`), plus a plain `request("GET", "/api/v1/...")` in the command line.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codegen.wheel.source import Module

PREFIX = "/api/"
CALL_METHODS = {"get", "post", "put", "patch", "delete"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Call:
    """One HTTP call: its node, the enclosing functions (innermost first) and its module."""

    node: ast.Call
    functions: tuple[Function, ...]
    module: Module
    method: str
    path: str

    @property
    def where(self) -> str:
        return f"{self.module.name}:{self.node.lineno}"

    @property
    def is_plain(self) -> bool:
        """Whether the call goes through `request` of a class of its own instead of the SDK client.

        Such a call sends only the headers that it names: no API key and no idempotency key.
        """
        return isinstance(self.node.func, ast.Attribute) and self.node.func.attr == "_request"

    def keyword(self, name: str) -> ast.expr | None:
        return next((item.value for item in self.node.keywords if item.arg == name), None)

    def argument(self, name: str) -> tuple[ast.expr | None, ast.expr | None]:
        """Annotation and default of the nearest enclosing function's parameter `name`."""
        for function in self.functions:
            arguments = function.args
            positional = [*arguments.posonlyargs, *arguments.args]
            defaults = [None] * (len(positional) - len(arguments.defaults)) + list(
                arguments.defaults
            )
            named = zip(
                [*positional, *arguments.kwonlyargs],
                [*defaults, *arguments.kw_defaults],
                strict=True,
            )
            for parameter, default in named:
                if parameter.arg == name:
                    return parameter.annotation, default
        return None, None

    def assigned(self, name: str) -> ast.expr | None:
        """The first value that the nearest enclosing function assigns to the variable `name`."""
        return next(self.assignments(name), None)

    def assignments(self, name: str) -> Iterator[ast.expr]:
        """All values that the nearest enclosing function with such a variable assigns to it."""
        for function in self.functions:
            values = list(_assignments(function, name))
            if values:
                yield from values
                return


def _assignments(function: Function, name: str) -> Iterator[ast.expr]:
    for statement in ast.walk(function):
        if isinstance(statement, ast.AnnAssign | ast.Assign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if is_name(targets[0], name):
                yield statement.value


def calls_in(module: Module) -> Iterator[Call]:
    for node, functions in _walk(module.tree, ()):
        method, path = _method_and_path(node)
        if method and path:
            yield Call(node, functions, module, method, path_template(path))


def stray_paths(module: Module, calls: Iterable[Call]) -> list[str]:
    """The paths in `module` that belong to none of its `calls`.

    Docstrings and messages contain spaces; a path does not.
    """
    used = {
        id(part) for call in calls for argument in call.node.args for part in ast.walk(argument)
    }
    stray = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr):  # a docstring, whose node is visited after this one
            used.add(id(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            path = node.value
            if path.startswith(PREFIX) and " " not in path and id(node) not in used:
                where = f"{module.name}:{node.lineno}"
                stray.append(f"{where} the path {path} is not in a supported call")
    return stray


def _walk(
    node: ast.AST, functions: tuple[Function, ...]
) -> Iterator[tuple[ast.Call, tuple[Function, ...]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, functions
        inner = (child, *functions) if isinstance(child, Function) else functions
        yield from _walk(child, inner)


def _method_and_path(call: ast.Call) -> tuple[str, str]:
    texts = [_text(argument) for argument in call.args[:2]]
    paths = [text for text in texts if text.startswith(PREFIX)]
    if not paths or not isinstance(call.func, ast.Attribute):
        return "", ""
    name = call.func.attr.lstrip("_")
    if name in CALL_METHODS:
        return name, paths[0]
    if name == "request" and texts[0].lower() in CALL_METHODS:
        return texts[0].lower(), paths[0]
    return "", ""


def _text(node: ast.expr) -> str:
    """The text of a string constant or f-string, with `{}` for each field; otherwise ''."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return ""


def path_template(path: str) -> str:
    """Name the parameters of `path` after the collections that they follow.

    A checkpoint id contains a slash that clients do not escape (`weights/0001`), so it is two
    parameters.
    """
    segments: list[str] = []
    for segment in path.split("/"):
        if segment != "{}":
            segments.append(segment)
            continue
        owner = re.sub(r"s$", "", segments[-1])
        segments += (
            ["{checkpoint_kind}", "{checkpoint_name}"]
            if owner == "checkpoint"
            else [f"{{{owner}_id}}"]
        )
    return "/".join(segments)


def is_name(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name
