"""Classes and aliases of the wheel become named components.

Read are pydantic models, dataclasses, string enumerations and aliases of the `types` package, and
whatever classes outside it the operations mention. What cannot be read is reported by name.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from .annotations import Reader, Schema, UnreadableError, constraints
from .source import Found, Source

REFERENCE = "#/components/schemas/"


@dataclass
class Components:
    """The named schemas of one wheel, and what could not be read."""

    source: Source
    schemas: dict[str, Schema] = field(default_factory=dict)
    origins: dict[str, Found] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = Reader(self.source, self.refer)

    def collect(self) -> None:
        """Read every class and alias of the wheel's `types` package."""
        for name in sorted(self.source.modules):
            if ".types" not in name:
                continue
            module = self.source.modules[name]
            for label, binding in module.bindings.items():
                if isinstance(binding, tuple) or label.startswith("_") or not label[0].isupper():
                    continue
                found = Found(module, binding)
                if isinstance(binding, ast.ClassDef) or _is_alias(label, binding):
                    self.refer(found)

    def refer(self, found: Found) -> Schema:
        """A reference to the component `found` defines, which is read on the first call."""
        name = _label(found)
        reference = {"$ref": REFERENCE + name}
        known = self.origins.get(name)
        if known is None or (_rank(found) > _rank(known)):
            self.origins[name] = found
            self.schemas.setdefault(name, {})
            self.schemas[name] = self._schema(found)
        return reference

    def _schema(self, found: Found) -> Schema:
        node = found.node
        try:
            if isinstance(node, ast.ClassDef):
                return self._class(found, node)
            if node.value is None:
                raise UnreadableError("a name without a value")
            return self.reader.read(node.value, found.module)
        except UnreadableError as problem:
            self.problems.append(f"{found.where} {_label(found)}: no rule for {problem}")
            return {"description": "", "x-unread": str(problem)}

    def _class(self, found: Found, node: ast.ClassDef) -> Schema:
        if _is_enum(node):
            return {"type": "string", "enum": _enum_values(node)}
        schema: Schema = {"type": "object", "properties": {}}
        required: list[str] = []
        for name, declared in self._fields(found).items():
            try:
                value = self._field(declared)
            except UnreadableError as problem:
                self.problems.append(f"{declared.where} {node.name}.{name}: no rule for {problem}")
                value = {"x-unread": str(problem)}
            schema["properties"][name] = value
            if _is_required(declared.statement):
                required.append(name)
        if required:
            schema["required"] = required
        if self._extra(found) == "forbid":
            schema["additionalProperties"] = False
        return schema

    def _fields(self, found: Found) -> dict[str, _Field]:
        """The fields of a class, those of its bases first; a later one keeps its first place."""
        assert isinstance(found.node, ast.ClassDef)
        fields: dict[str, _Field] = {}
        for base in found.node.bases:
            parent = self.source.resolve(found.module, base)
            if isinstance(parent, Found) and isinstance(parent.node, ast.ClassDef):
                fields.update(self._fields(parent))
        for statement in found.node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(
                statement.target, ast.Name
            ):
                continue
            name = statement.target.id
            if not name.startswith("_") and name != "model_config":
                fields[name] = _Field(found, statement)
        return fields

    def _field(self, declared: _Field) -> Schema:
        schema = self.reader.read(declared.statement.annotation, declared.owner.module)
        value = declared.statement.value
        if isinstance(value, ast.Call):
            schema = attach(schema, constraints(value))
        default = _default(value)
        if default is not None:
            schema = {**schema, "default": default}
        return schema

    def _extra(self, found: Found) -> str:
        """The `extra` policy of a class: its own keyword or configuration, else that of a base."""
        assert isinstance(found.node, ast.ClassDef)
        for keyword in found.node.keywords:
            if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
        for statement in found.node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                for keyword in statement.value.keywords:
                    if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant):
                        return str(keyword.value.value)
        for base in found.node.bases:
            parent = self.source.resolve(found.module, base)
            if isinstance(parent, Found) and isinstance(parent.node, ast.ClassDef):
                return self._extra(parent)
        return "ignore"


@dataclass(frozen=True)
class _Field:
    owner: Found
    statement: ast.AnnAssign

    @property
    def where(self) -> str:
        return f"{self.owner.module.name}:{self.statement.lineno}"


def attach(schema: Schema, limits: Schema) -> Schema:
    """`schema` with `limits`, put on the part of a nullable schema that is not `null`."""
    if not limits:
        return schema
    if "anyOf" in schema:
        first, *rest = schema["anyOf"]
        return {**schema, "anyOf": [attach(first, limits), *rest]}
    renamed = {"minLength": "minItems", "maxLength": "maxItems"}
    if schema.get("type") == "array":
        limits = {renamed.get(key, key): value for key, value in limits.items()}
    return {**schema, **limits}


def _label(found: Found) -> str:
    node = found.node
    if isinstance(node, ast.ClassDef):
        return node.name.lstrip("_")
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    assert isinstance(target, ast.Name)
    return target.id


def _rank(found: Found) -> int:
    """Which of two definitions of one name is the wire's: the model before the dataclass."""
    if not isinstance(found.node, ast.ClassDef):
        return 0
    decorated = any("dataclass" in ast.unparse(item) for item in found.node.decorator_list)
    return 1 if decorated else 2


def _is_alias(label: str, node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether an assignment names a type: `X = Literal[...]`, `X: TypeAlias = str`, `A | B`."""
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


def _is_required(statement: ast.AnnAssign) -> bool:
    value = statement.value
    if value is None:
        return True
    if isinstance(value, ast.Call):
        named = {keyword.arg for keyword in value.keywords}
        given = {"default", "default_factory"} & named
        positional = [item for item in value.args if not _is_ellipsis(item)]
        return not given and not positional
    return _is_ellipsis(value)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _default(value: ast.expr | None) -> Any:
    """The default a field has on the wire; None when there is none worth stating."""
    if isinstance(value, ast.Call):
        given = [keyword.value for keyword in value.keywords if keyword.arg == "default"]
        value = given[0] if given else (value.args[0] if value.args else None)
    if value is None:
        return None
    try:
        default = ast.literal_eval(value)
    except ValueError:
        return None
    return None if default in (Ellipsis, None) or default == {} or default == [] else default
