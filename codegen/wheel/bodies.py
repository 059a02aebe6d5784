"""The request bodies of a call, by content type.

Supported are a model passed to `model_dump` (in the first releases a dictionary passed to
`maybe_transform` with its type), a dictionary literal, a parameter, and bytes that other code
creates. A variable that is assigned in several places has all of these forms. An expression of any
other kind is a gap.

The argument decides the content type: `body=` and `json=` are JSON unless the value is bytes,
`data=` is a form, `files=` is a form with files, and `content=` is bytes.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from codegen.json_schema import literal
from codegen.wheel.annotations import UnsupportedAnnotationError
from codegen.wheel.headers import content_type

if TYPE_CHECKING:
    from codegen.json_schema import Schema
    from codegen.wheel.calls import Call
    from codegen.wheel.schemas import Components

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data"
BODY_ARGUMENTS = ("body", "json", "data", "files", "content")
BINARY: Schema = {"type": "string", "format": "binary"}
TRANSFORMS = ("maybe_transform", "model_dump")


def request_bodies(call: Call, components: Components, guesses: list[str]) -> dict[str, Schema]:
    """Schemas of the body of `call` by content type, from whichever argument has it."""
    schemas: dict[str, Schema] = {}
    for argument in BODY_ARGUMENTS:
        value = call.keyword(argument)
        if value is None or (isinstance(value, ast.Constant) and value.value is None):
            continue
        if argument in ("content", "files"):
            kind = content_type(call, components.source) if argument == "content" else FILES
            guesses.append(f"the body is {kind} from code that the reader does not follow")
            schemas[kind] = dict(BINARY) if argument == "content" else {"type": "object"}
            continue
        for kind, schema in bodies(call, components, value, guesses).items():
            schemas[FORM if argument == "data" and kind == JSON else kind] = schema
    return schemas


def bodies(
    call: Call, components: Components, body: ast.expr, guesses: list[str]
) -> dict[str, Schema]:
    """Schemas of the expression `body` by content type; heuristics are appended to `guesses`."""
    if isinstance(body, ast.Await):
        return bodies(call, components, body.value, guesses)
    if isinstance(body, ast.Dict):
        return {JSON: object_schema(call, components, body, guesses)}
    if isinstance(body, ast.Call) and ast.unparse(body.func).endswith(TRANSFORMS):
        schema = _transformed(call, components, body)
        if schema is not None:
            return {JSON: schema}
    if isinstance(body, ast.Name):
        return _variable(call, components, body, guesses)
    if isinstance(body, ast.Call) and _makes_bytes(body):
        guesses.append("the body is bytes from code that the reader does not follow")
        return {content_type(call, components.source): dict(BINARY)}
    components.gap(call.where, f"the body is not understood: {ast.unparse(body)}")
    return {JSON: {}}


def _variable(
    call: Call, components: Components, name: ast.Name, guesses: list[str]
) -> dict[str, Schema]:
    annotation, _ = call.argument(name.id)
    if annotation is not None:
        return {JSON: components.reader.read(annotation, call.module)}
    schemas: dict[str, Schema] = {}
    for value in call.assignments(name.id):
        for kind, schema in bodies(call, components, value, guesses).items():
            schemas.setdefault(kind, schema)
    if not schemas:
        components.gap(call.where, f"the body is not understood: {name.id}")
    return schemas or {JSON: {}}


def _makes_bytes(body: ast.Call) -> bool:
    """Returns True if the call serializes or compresses a message."""
    text = ast.unparse(body)
    return "SerializeToString" in text or "compress" in text


def _transformed(call: Call, components: Components, body: ast.Call) -> Schema | None:
    name = ast.unparse(body.func)
    for keyword in body.keywords:
        if keyword.arg not in DUMP_OPTIONS:
            components.gap(call.where, f"model_dump has an unknown option {keyword.arg}")
    if name.endswith("maybe_transform"):
        return components.reader.read(body.args[-1], call.module)
    model = body.args[0] if body.args else getattr(body.func, "value", None)
    while isinstance(model, ast.Call) and model.args:  # a conversion around the model
        model = model.args[0]
    return model_of(call, components, model)


DUMP_OPTIONS = {"exclude_unset", "exclude_none", "exclude_defaults", "mode", "by_alias"}


def model_of(call: Call, components: Components, model: ast.expr | None) -> Schema | None:
    """The schema of the model in a variable, from its annotation or from a constructor call."""
    if not isinstance(model, ast.Name):
        return None
    annotation, _ = call.argument(model.id)
    if annotation is None:
        value = call.assigned(model.id)
        while isinstance(value, ast.Call):
            value = value.func
        if isinstance(value, ast.Attribute) and value.attr == "model_validate":
            value = value.value
        annotation = value
    return None if annotation is None else components.reader.read(annotation, call.module)


def object_schema(call: Call, components: Components, node: ast.Dict, guesses: list[str]) -> Schema:
    """The schema of a dictionary literal; its values have the types of the parameters they use."""
    properties: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant):
            components.gap(
                call.where, f"a part of the body is not understood: {ast.unparse(value)}"
            )
        elif isinstance(value, ast.Dict):
            properties[str(key.value)] = object_schema(call, components, value, guesses)
        else:
            properties[str(key.value)] = value_schema(call, components, value, guesses)
    guesses.append("the body's fields are read from a dictionary in the code")
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(properties)} if properties else schema


def value_schema(call: Call, components: Components, value: ast.expr, guesses: list[str]) -> Schema:
    names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
    for name in names:
        annotation, _ = call.argument(name)
        if annotation is not None:
            try:
                return components.reader.read(annotation, call.module)
            except UnsupportedAnnotationError as error:
                components.gap(call.where, f"{name}: no rule for {error}")
                return {}
    if isinstance(value, ast.Constant) and isinstance(value.value, str | int | bool):
        return literal([value.value])
    if _makes_text(value):
        return {"type": "string"}
    components.gap(call.where, f"the type of {ast.unparse(value)} is unknown")
    return {}


def _makes_text(value: ast.expr) -> bool:
    """Returns True for an f-string, `str(...)`, and `x.isoformat()`."""
    if isinstance(value, ast.JoinedStr):
        return True
    return isinstance(value, ast.Call) and ast.unparse(value.func).endswith(("str", ".isoformat"))
