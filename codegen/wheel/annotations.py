"""Converts the type annotations of a wheel to JSON schemas.

The schemas use constructions that code generators for many languages support: nullable values are
`anyOf` with `null`, never a list of types; pairs are arrays of fixed length; bytes are base64
strings; a named type is a reference.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.json_schema import NULL, Schema, any_of, literal, nullable
from codegen.wheel.source import Definition, ExternalName, Module, Source

if TYPE_CHECKING:
    from collections.abc import Callable

SCALARS: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "None": NULL,
    "object": {},
    "typing.Any": {},
    "typing.Text": {"type": "string"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "pydantic.AwareDatetime": {"type": "string", "format": "date-time"},
    "pydantic.NaiveDatetime": {"type": "string", "format": "date-time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.timedelta": {"type": "string", "format": "duration"},
}
LISTS = {
    "list",
    "List",
    "Sequence",
    "Iterable",
    "Collection",
    "Set",
    "set",
    "FrozenSet",
    "frozenset",
}
MAPS = {"dict", "Dict", "Mapping", "MutableMapping"}
ARRAYS = {"numpy.ndarray", "NDArray"}
TRANSPARENT = {"Annotated", "SerializeAsAny", "Required", "NotRequired", "ClassVar", "Final"}


class UnsupportedAnnotationError(Exception):
    """There is no rule for an annotation."""


@dataclass
class AnnotationReader:
    """Converts annotations to schemas.

    `reference` is called with each class or alias and returns the schema that refers to it.
    `guesses` collects descriptions of the heuristics that were used.
    """

    source: Source
    reference: Callable[[Definition], Schema]
    guesses: list[str] = field(default_factory=list)

    def read(self, annotation: ast.expr, module: Module) -> Schema:
        """The schema of `annotation` in `module`; raises UnsupportedAnnotationError."""
        if isinstance(annotation, ast.Constant):
            if annotation.value is None:
                return dict(NULL)
            if isinstance(annotation.value, str):
                return self.read(ast.parse(annotation.value, mode="eval").body, module)
        if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
            return self._union(_flatten(annotation), module)
        if isinstance(annotation, ast.Subscript):
            return self._subscript(annotation, module)
        if isinstance(annotation, ast.Name | ast.Attribute):
            return self._name(annotation, module)
        raise UnsupportedAnnotationError(ast.unparse(annotation))

    def _name(self, name: ast.Name | ast.Attribute, module: Module) -> Schema:
        target = self.source.resolve(module, name)
        if isinstance(target, Definition):
            return self.reference(target)
        plain = target.name.removeprefix("builtins.")
        if plain in SCALARS:
            return dict(SCALARS[plain])
        short = plain.rsplit(".", 1)[-1]
        if plain in ARRAYS or short in ARRAYS:
            self.guesses.append(f"{plain} read as an array of any depth")
            return {"type": "array", "items": {}}
        if short in LISTS or short in {"tuple", "Tuple"}:
            return {"type": "array", "items": {}}
        if short in MAPS:
            return {"type": "object", "additionalProperties": {}}
        raise UnsupportedAnnotationError(plain)

    def _subscript(self, node: ast.Subscript, module: Module) -> Schema:
        name = _short(self.source.resolve(module, node.value))
        arguments = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Optional":
            return nullable(self.read(arguments[0], module))
        if name == "Union":
            return self._union(arguments, module)
        if name == "Literal":
            return literal([ast.literal_eval(argument) for argument in arguments])
        if name in TRANSPARENT:
            return self._annotated(arguments, module)
        if name in LISTS:
            return {"type": "array", "items": self.read(arguments[0], module)}
        if name in MAPS:
            return {"type": "object", "additionalProperties": self.read(arguments[1], module)}
        if name in {"tuple", "Tuple"}:
            return self._tuple(arguments, module)
        if name.endswith("NDArray"):
            self.guesses.append(f"{ast.unparse(node)} read as an array of numbers")
            return {"type": "array", "items": {"type": "number"}}
        raise UnsupportedAnnotationError(ast.unparse(node))

    def _annotated(self, arguments: list[ast.expr], module: Module) -> Schema:
        schema = self.read(arguments[0], module)
        for extra in arguments[1:]:
            if isinstance(extra, ast.Call):
                schema = {**schema, **constraints(extra)}
        return schema

    def _tuple(self, arguments: list[ast.expr], module: Module) -> Schema:
        if len(arguments) == 2 and _is_ellipsis(arguments[1]):
            return {"type": "array", "items": self.read(arguments[0], module)}
        members = [self.read(argument, module) for argument in arguments]
        numbers = all(member.get("type") in {"integer", "number"} for member in members)
        items: Schema = {"type": "number"} if numbers else any_of(members)
        return {"type": "array", "items": items, "minItems": len(members), "maxItems": len(members)}

    def _union(self, members: list[ast.expr], module: Module) -> Schema:
        return any_of([self.read(member, module) for member in members])


CONSTRAINTS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


def constraints(call: ast.Call) -> Schema:
    """The limits in a `Field(...)` call, as JSON schema keywords.

    `schemas.attach`, which has the type of the field, corrects `min_length` of a list.
    """
    limits: Schema = {}
    for keyword in call.keywords:
        if keyword.arg in CONSTRAINTS and isinstance(keyword.value, ast.Constant):
            limits[CONSTRAINTS[keyword.arg]] = keyword.value.value
    return limits


def _flatten(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_flatten(node.left), *_flatten(node.right)]
    return [node]


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _short(target: Definition | ExternalName) -> str:
    return target.name.rsplit(".", 1)[-1] if isinstance(target, ExternalName) else ""
