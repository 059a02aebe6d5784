"""A type annotation of the wheel becomes a JSON schema.

Constructions are chosen so that generators of many languages can read them: nullable values are
`anyOf` with `null`, never a list of types; pairs are plain arrays of fixed length; bytes are base64
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
    """An annotation this reader has no rule for."""


@dataclass
class Reader:
    """Turns annotations into schemas.

    `reference` is told of each class or alias met and answers with the schema that stands for it.
    `guesses` collects, in words, what was read by a heuristic.
    """

    source: Source
    reference: Callable[[Definition], Schema]
    guesses: list[str] = field(default_factory=list)

    def read(self, annotation: ast.expr, module: Module) -> Schema:
        """The schema of `annotation` as written in `module`; raises UnsupportedAnnotationError."""
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
        found = self.source.resolve(module, name)
        if isinstance(found, Definition):
            return self.reference(found)
        plain = found.name.removeprefix("builtins.")
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
    """The limits a `Field(...)` call states, as JSON schema keywords.

    `min_length` of a list is corrected by `schemas.attach`, which knows the field's type.
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


def _short(found: Definition | ExternalName) -> str:
    return found.name.rsplit(".", 1)[-1] if isinstance(found, ExternalName) else ""
