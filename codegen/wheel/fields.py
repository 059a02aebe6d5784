"""What a field's right-hand side says: if it must be given, its default, its name on the wire.

A default is a literal, constant arithmetic (`10 * 1024`), a `Field(...)` or `field(...)` with one
of these, an enumeration's member, or a model built without arguments, which is an object of that
model's own defaults.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from codegen.wheel.source import Definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from codegen.wheel.source import Module, Source

FIELD_MAKERS = {"Field", "field", "PropertyInfo"}
FACTORIES: dict[str, Any] = {"dict": {}, "list": [], "set": [], "tuple": []}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


class UnsupportedDefaultError(Exception):
    """There is a default, but not one the reader can work out."""


def is_required(statement: ast.AnnAssign, *, keys_optional: bool = False) -> bool:
    """Whether a value must be given: nothing is assigned, or a `Field(...)` without a default.

    Where `keys_optional`, only what is marked `Required[...]` must.
    """
    value = statement.value
    if value is None:
        return not keys_optional or "Required[" in ast.unparse(statement.annotation)
    if not _is_field(value):
        return _is_ellipsis(value)
    assert isinstance(value, ast.Call)
    named = {keyword.arg for keyword in value.keywords}
    positional = [item for item in value.args if not _is_ellipsis(item)]
    return not {"default", "default_factory"} & named and not positional


def alias(statement: ast.AnnAssign) -> str | None:
    """The name the field has on the wire, where `Field(alias=...)` gives it another one."""
    if statement.value is not None and _is_field(statement.value):
        assert isinstance(statement.value, ast.Call)
        for wanted in ("serialization_alias", "alias"):
            for keyword in statement.value.keywords:
                if keyword.arg == wanted and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None


def default(statement: ast.AnnAssign, module: Module, source: Source) -> Any:
    """The default on the wire; None where there is none worth stating (null, an empty collection).

    Raises:
        UnsupportedDefaultError: with the expression, when it is none of those this module knows.
    """
    value = statement.value
    if value is not None and _is_field(value):
        assert isinstance(value, ast.Call)
        value = _stated(value)
    if value is None or _is_ellipsis(value):
        return None
    found = _evaluate(value, module, source)
    return None if found in (None, [], {}, ()) and found is not False else found


def _stated(call: ast.Call) -> ast.expr | None:
    """The default a `Field(...)` call states, a factory as a call of that factory."""
    for keyword in call.keywords:
        if keyword.arg == "default":
            return keyword.value
        if keyword.arg == "default_factory":
            body = keyword.value.body if isinstance(keyword.value, ast.Lambda) else None
            return body or ast.Call(func=keyword.value, args=[], keywords=[])
    return call.args[0] if call.args else None


def _evaluate(value: ast.expr, module: Module, source: Source) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        pass
    if isinstance(value, ast.BinOp) and type(value.op) in ARITHMETIC:
        left, right = (_evaluate(side, module, source) for side in (value.left, value.right))
        return ARITHMETIC[type(value.op)](left, right)
    if isinstance(value, ast.Call) and not value.args and not value.keywords:
        name = ast.unparse(value.func)
        return FACTORIES[name] if name in FACTORIES else _built(value.func, module, source)
    if isinstance(value, ast.Name | ast.Attribute):
        return _named(value, module, source)
    raise UnsupportedDefaultError(ast.unparse(value))


def _named(name: ast.Name | ast.Attribute, module: Module, source: Source) -> Any:
    """The value of a constant, or of a member of an enumeration."""
    found = source.resolve(module, name)
    if isinstance(found, Definition) and isinstance(found.node, ast.Assign):
        return _evaluate(found.node.value, found.module, source)
    if isinstance(name, ast.Attribute):
        owner = source.resolve(module, name.value)
        if isinstance(owner, Definition) and isinstance(owner.node, ast.ClassDef):
            for statement in owner.node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == (
                    name.attr
                ):
                    return _evaluate(statement.value, owner.module, source)
    raise UnsupportedDefaultError(ast.unparse(name))


def _built(maker: ast.expr, module: Module, source: Source) -> Any:
    """The object a model without arguments is on the wire: those of its fields with a default."""
    found = source.resolve(module, maker)
    if not isinstance(found, Definition) or not isinstance(found.node, ast.ClassDef):
        raise UnsupportedDefaultError(ast.unparse(maker))
    values: dict[str, Any] = {}
    for statement in found.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = default(statement, found.module, source)
            if value is not None:
                values[statement.target.id] = value
    return values


def _is_field(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and ast.unparse(value.func).rsplit(".", maxsplit=1)[-1] in FIELD_MAKERS
    )


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
