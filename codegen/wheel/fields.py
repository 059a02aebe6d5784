"""The properties of a field from the right-hand side: required, default, name on the wire.

A default is a literal, constant arithmetic (`10 * 1024`), a `Field(...)` or `field(...)` with one
of these, a member of an enumeration, or a model without arguments, which becomes an object with
that model's defaults.
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
    """There is a default that the reader cannot evaluate."""


def is_required(statement: ast.AnnAssign, *, keys_optional: bool = False) -> bool:
    """Returns True if nothing is assigned to the field, or a `Field(...)` without a default.

    With `keys_optional`, only a field with `Required[...]` is required.
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


KNOWN_ARGUMENTS = {
    *("default", "default_factory", "alias", "validation_alias", "serialization_alias"),
    *("exclude", "discriminator", "format", "description", "title", "examples", "deprecated"),
    *("repr", "compare", "hash", "frozen", "kw_only", "init", "validate_default"),
    *("ge", "gt", "le", "lt", "min_length", "max_length", "pattern"),
}
"""Arguments of `Field(...)` that are read, or that do not change what is sent."""


def unknown_arguments(statement: ast.AnnAssign) -> list[str]:
    """The arguments of `Field(...)` and `**mappings` that the reader does not understand."""
    if statement.value is None or not _is_field(statement.value):
        return []
    assert isinstance(statement.value, ast.Call)
    unknown = [
        ast.unparse(keyword)
        for keyword in statement.value.keywords
        if keyword.arg not in KNOWN_ARGUMENTS or _is_unread_alias(keyword)
    ]
    return unknown + [ast.unparse(item) for item in statement.value.args[1:]]


def _is_unread_alias(keyword: ast.keyword) -> bool:
    is_alias = keyword.arg is not None and keyword.arg.endswith("alias")
    return is_alias and _alias_text(keyword.value) is None


def is_excluded(statement: ast.AnnAssign) -> bool:
    """Returns True for a field with `exclude=True`, which is never sent."""
    return any(
        keyword.arg == "exclude" and ast.unparse(keyword.value) == "True"
        for keyword in _arguments(statement)
    )


def read_name(statement: ast.AnnAssign) -> str | None:
    """The name in responses: the first `validation_alias`, else `alias`; None without one."""
    return _named_argument(statement, "validation_alias", "alias")


def sent_name(statement: ast.AnnAssign) -> str | None:
    """The name in requests: `serialization_alias`, else `alias`; None without one."""
    return _named_argument(statement, "serialization_alias", "alias")


def _named_argument(statement: ast.AnnAssign, *names: str) -> str | None:
    values = {keyword.arg: keyword.value for keyword in _arguments(statement)}
    return next((_alias_text(values[name]) for name in names if name in values), None)


def _arguments(statement: ast.AnnAssign) -> list[ast.keyword]:
    value = statement.value
    return value.keywords if isinstance(value, ast.Call) and _is_field(value) else []


def _alias_text(value: ast.expr) -> str | None:
    """The text of an alias; of `AliasChoices(...)` the first, which a server is expected to use."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("AliasChoices"):
        value = value.args[0] if value.args else value
    return str(value.value) if isinstance(value, ast.Constant) else None


def default(statement: ast.AnnAssign, module: Module, source: Source) -> Any:
    """The default on the wire; None without a default, or if it is null or an empty collection.

    Raises:
        UnsupportedDefaultError: this module does not support the expression of the default.
    """
    value = statement.value
    if value is not None and _is_field(value):
        assert isinstance(value, ast.Call)
        value = _field_default(value)
    if value is None or _is_ellipsis(value):
        return None
    result = _evaluate(value, module, source)
    return None if result in (None, [], {}, ()) and result is not False else result


def _field_default(call: ast.Call) -> ast.expr | None:
    """The default in a `Field(...)` call; a factory becomes a call of that factory."""
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
    target = source.resolve(module, name)
    if isinstance(target, Definition) and isinstance(target.node, ast.Assign):
        return _evaluate(target.node.value, target.module, source)
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
    """The object for a model without arguments: the fields that have a default."""
    target = source.resolve(module, maker)
    if not isinstance(target, Definition) or not isinstance(target.node, ast.ClassDef):
        raise UnsupportedDefaultError(ast.unparse(maker))
    values: dict[str, Any] = {}
    for statement in target.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = default(statement, target.module, source)
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
