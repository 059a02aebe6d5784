"""Converts the classes and aliases of a wheel to named components.

Supported are pydantic models, dataclasses, string enumerations and aliases of the `types` package,
and other classes that operations refer to. Parts that cannot be read are reported by name.
"""

from __future__ import annotations

import ast
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.json_schema import REFERENCE, Schema
from codegen.wheel import fields
from codegen.wheel.annotations import AnnotationReader, UnsupportedAnnotationError, constraints
from codegen.wheel.source import Definition, Source

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Components:
    """The named schemas of one wheel, and the parts that could not be read."""

    source: Source
    schemas: dict[str, Schema] = field(default_factory=dict)
    origins: dict[str, Definition] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    sent_names: dict[str, dict[str, str]] = field(default_factory=dict)
    """By type, the fields whose name in requests differs from the one in responses."""

    def gap(self, where: str, what: str) -> None:
        """Record a part of the wheel that cannot be read."""
        line = f"{where} {what}"
        if line not in self.problems:
            self.problems.append(line)

    def __post_init__(self) -> None:
        self.reader = AnnotationReader(self.source, self.refer)

    def collect(self) -> None:
        """Read every class and alias of the wheel's `types` package."""
        for name in sorted(self.source.modules):
            if ".types" not in name:
                continue
            module = self.source.modules[name]
            for label, binding in module.bindings.items():
                if isinstance(binding, tuple) or label.startswith("_") or not label[0].isupper():
                    continue
                definition = Definition(module, binding)
                if isinstance(binding, ast.ClassDef) or _is_alias(label, binding):
                    self.refer(definition)

    def refer(self, definition: Definition) -> Schema:
        """A reference to the component of `definition`, which is read on the first call."""
        name = _label(definition)
        reference = {"$ref": REFERENCE + name}
        known = self.origins.get(name)
        if known is None or (_rank(definition) > _rank(known)):
            self.origins[name] = definition
            self.schemas.setdefault(name, {})
            self.schemas[name] = self._schema(definition)
        return reference

    def _schema(self, definition: Definition) -> Schema:
        with self._guessing() as guesses:
            schema = self._read(definition)
        return {**schema, "x-heuristics": guesses} if guesses else schema

    @contextmanager
    def _guessing(self) -> Iterator[list[str]]:
        """Collect the heuristics used for one component, which may be nested in another."""
        outer, self.reader.guesses = self.reader.guesses, []
        try:
            yield self.reader.guesses
        finally:
            self.reader.guesses = outer

    def _read(self, definition: Definition) -> Schema:
        node = definition.node
        try:
            if isinstance(node, ast.ClassDef):
                return self._class(definition, node)
            if node.value is None:
                raise UnsupportedAnnotationError("a name without a value")
            return self.reader.read(node.value, definition.module)
        except UnsupportedAnnotationError as error:
            self.gap(definition.where, f"{_label(definition)}: no rule for {error}")
            return {"description": "", "x-unread": str(error)}

    def _class(self, definition: Definition, node: ast.ClassDef) -> Schema:
        if _is_enum(node):
            return {"type": "string", "enum": _enum_values(node)}
        schema: Schema = {"type": "object", "properties": {}}
        required: list[str] = []
        for attribute, declared in self._fields(definition).items():
            for argument in fields.unknown_arguments(declared.statement):
                self.gap(declared.where, f"{node.name}.{attribute}: no rule for {argument}")
            if fields.is_excluded(declared.statement):
                continue
            name, annotation = self._wire_name(attribute, declared)
            request_name = fields.sent_name(declared.statement) or attribute
            if name == (fields.read_name(declared.statement) or attribute) != request_name:
                self.sent_names.setdefault(_label(definition), {})[name] = request_name
            try:
                value = self._field(declared, annotation)
                if _is_typed_dict(node):  # a value in its body has no effect
                    value.pop("default", None)
            except UnsupportedAnnotationError as error:
                self.gap(declared.where, f"{node.name}.{name}: no rule for {error}")
                value = {"x-unread": str(error)}
            schema["properties"][name] = value
            if fields.is_required(declared.statement, keys_optional=_has_optional_keys(node)):
                required.append(name)
        for serializer in _serializers(definition):
            schema.setdefault("x-unsettled", []).append(serializer)
        if required:
            schema["required"] = required
        if self._extra(definition) == "forbid":
            schema["additionalProperties"] = False
        return schema

    def _fields(self, definition: Definition) -> dict[str, _Field]:
        """The fields of a class, those of its bases first; an override keeps its place."""
        assert isinstance(definition.node, ast.ClassDef)
        fields: dict[str, _Field] = {}
        for base in definition.node.bases:
            parent = self.source.resolve(definition.module, base)
            if isinstance(parent, Definition) and isinstance(parent.node, ast.ClassDef):
                fields.update(self._fields(parent))
        for statement in definition.node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(
                statement.target, ast.Name
            ):
                continue
            name = statement.target.id
            if not name.startswith("_") and name != "model_config":
                fields[name] = _Field(definition, statement)
        return fields

    def _wire_name(self, name: str, declared: _Field) -> tuple[str, ast.expr]:
        """Name and annotation of a field on the wire.

        An array `x_np` beside a property `x` is the array form of `x`, which is the name in JSON.
        """
        renamed = fields.read_name(declared.statement)
        assert isinstance(declared.owner.node, ast.ClassDef)
        for statement in declared.owner.node.body:
            listed = isinstance(statement, ast.FunctionDef) and f"{statement.name}_np" == name
            if listed and isinstance(statement, ast.FunctionDef) and statement.returns is not None:
                self.reader.guesses.append(
                    f"{name} has the name and type of the property without _np"
                )
                return statement.name, statement.returns
        return renamed or name, declared.statement.annotation

    def _field(self, declared: _Field, annotation: ast.expr) -> Schema:
        module = declared.owner.module
        schema = self.reader.read(annotation, module)
        if isinstance(declared.statement.value, ast.Call):
            schema = attach(schema, constraints(declared.statement.value))
        try:
            default = fields.default(declared.statement, module, self.source)
        except fields.UnsupportedDefaultError as error:
            target = ast.unparse(declared.statement.target)
            self.reader.guesses.append(f"the default of {target} is not evaluated: {error}")
            default = None
        return schema if default is None else {**schema, "default": default}

    def _extra(self, definition: Definition) -> str:
        """The `extra` policy of a class, from its keyword or configuration or from a base."""
        assert isinstance(definition.node, ast.ClassDef)
        for keyword in definition.node.keywords:
            if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
        for statement in definition.node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                for keyword in statement.value.keywords:
                    if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant):
                        return str(keyword.value.value)
        for base in definition.node.bases:
            parent = self.source.resolve(definition.module, base)
            if isinstance(parent, Definition) and isinstance(parent.node, ast.ClassDef):
                return self._extra(parent)
        return "ignore"


@dataclass(frozen=True)
class _Field:
    owner: Definition
    statement: ast.AnnAssign

    @property
    def where(self) -> str:
        return f"{self.owner.module.name}:{self.statement.lineno}"


def attach(schema: Schema, limits: Schema) -> Schema:
    """Add `limits` to `schema`, in a nullable schema to the member that is not `null`."""
    if not limits:
        return schema
    if "anyOf" in schema:
        first, *rest = schema["anyOf"]
        return {**schema, "anyOf": [attach(first, limits), *rest]}
    renamed = {"minLength": "minItems", "maxLength": "maxItems"}
    if schema.get("type") == "array":
        limits = {renamed.get(key, key): value for key, value in limits.items()}
    return {**schema, **limits}


def _label(definition: Definition) -> str:
    node = definition.node
    if isinstance(node, ast.ClassDef):
        return node.name.lstrip("_")
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    assert isinstance(target, ast.Name)
    return target.id


def _rank(definition: Definition) -> int:
    """The precedence of a definition among those of one name: models before dataclasses."""
    if not isinstance(definition.node, ast.ClassDef):
        return 0
    decorated = any("dataclass" in ast.unparse(item) for item in definition.node.decorator_list)
    return 1 if decorated else 2


def _is_alias(label: str, node: ast.Assign | ast.AnnAssign) -> bool:
    """Returns True for the alias of a type: `X = Literal[...]`, `X: TypeAlias = str`, `A | B`."""
    if label.isupper():
        return False
    if isinstance(node, ast.AnnAssign):
        return "TypeAlias" in ast.unparse(node.annotation)
    return isinstance(node.value, ast.Subscript | ast.BinOp)


def _is_enum(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Enum") for base in node.bases)


def _enum_values(node: ast.ClassDef) -> list[str]:
    """The values of a string enumeration; `auto()` of a StrEnum is the lower-case name."""
    values: list[str] = []
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, value = statement.targets[0].id, statement.value
            values.append(str(value.value) if isinstance(value, ast.Constant) else name.lower())
    return values


BASE64 = "b64encode"


def _serializers(definition: Definition) -> Iterator[str]:
    """The serializers of a class that may change what is sent.

    One that encodes a field of bytes in base64 is not among them: that is how JSON has bytes.
    """
    assert isinstance(definition.node, ast.ClassDef)
    for statement in definition.node.body:
        if not isinstance(statement, ast.FunctionDef):
            continue
        for decorator in statement.decorator_list:
            text = ast.unparse(decorator)
            plain = BASE64 in ast.unparse(statement) and "field_serializer" in text
            if not plain and ("serializer" in text or "computed_field" in text):
                where = f"{definition.module.name}:{statement.lineno}"
                yield f"{where} {definition.node.name} has a serializer: {text}"


def _is_typed_dict(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("TypedDict") for base in node.bases)


def _has_optional_keys(node: ast.ClassDef) -> bool:
    """Returns True for a typed dictionary whose keys are optional by default."""
    return any(
        keyword.arg == "total" and ast.unparse(keyword.value) == "False"
        for keyword in node.keywords
    )
