"""The wheel's HTTP calls become operations: bodies, answers and query parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .annotations import NULL, Schema, UnreadableError, nullable
from .calls import Call, calls_in, is_name
from .source import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .schemas import Components

JSON = "application/json"


@dataclass
class Operation:
    """One method and path, with all calls of it that were found."""

    method: str
    path: str
    calls: list[str] = field(default_factory=list)
    tag: str = ""
    body: Schema | None = None
    content_type: str = JSON
    answer: Schema | None = None
    query: dict[str, tuple[Schema, bool]] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)


def find_operations(components: Components) -> list[Operation]:
    """Every operation of the wheel, in the order of path and method."""
    found: dict[tuple[str, str], Operation] = {}
    for name in sorted(components.source.modules):
        module = components.source.modules[name]
        for call in calls_in(module):
            key = (call.path, call.method)
            operation = found.setdefault(key, Operation(call.method, call.path))
            _describe(operation, call, components)
    return [found[key] for key in sorted(found)]


def _describe(operation: Operation, call: Call, components: Components) -> None:
    """Add to `operation` what `call` tells of it."""
    outermost = call.functions[-1].name if call.functions else "module"
    operation.calls.append(f"{call.module.name}.{outermost.strip('_').removesuffix('_submit')}")
    parts = call.module.name.split(".")
    if "resources" in parts or not operation.tag:
        operation.tag = parts[-1]
    operation.answer = operation.answer or _answer(call, components)
    body = call.keyword("body")
    if body is not None and operation.body is None:
        _describe_body(operation, call, components, body)
    for name, value in _query(call):
        operation.query.setdefault(name, _parameter(operation, call, components, name, value))


def _answer(call: Call, components: Components) -> Schema | None:
    """The schema of `cast_to`, or of the model the enclosing function hands to a parser."""
    target = call.keyword("cast_to")
    while isinstance(target, ast.Call) and target.args:
        target = target.args[-1]
    if target is None:
        target = _parsed_model(call)
    if not isinstance(target, ast.Name | ast.Attribute):
        return None
    found = components.source.resolve(call.module, target)
    if isinstance(found, Found) and not _is_marker(found):
        return components.refer(found)
    return None


def _parsed_model(call: Call) -> ast.expr | None:
    for function in call.functions[:1]:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_parse"):
                return node.args[-1]
    return None


def _is_marker(found: Found) -> bool:
    """`NoneType` and the raw response classes are no types of the wire."""
    return ".types" not in found.module.name and found.module.name.rsplit(".", 1)[-1] in {
        "_types",
        "_response",
    }


def _describe_body(
    operation: Operation, call: Call, components: Components, body: ast.expr
) -> None:
    if isinstance(body, ast.Call) and ast.unparse(body.func).endswith("model_dump"):
        model = body.args[0] if body.args else getattr(body.func, "value", None)
        operation.body = _model_of(call, components, model)
    elif isinstance(body, ast.Dict):
        operation.body = _object(operation, call, components, body)
    elif isinstance(body, ast.Name):
        annotation, _ = call.argument(body.id)
        value = call.assigned(body.id)
        if annotation is not None:
            operation.body = components.reader.read(annotation, call.module)
        elif isinstance(value, ast.Dict):
            operation.body = _object(operation, call, components, value)
        else:
            operation.content_type = "application/octet-stream"
            operation.body = {"type": "string", "format": "binary"}
            operation.guesses.append("the body is made of bytes by code the reader does not follow")
    if operation.body is None:
        operation.body = {}
        operation.guesses.append(f"the body is not understood: {ast.unparse(body)}")


def _model_of(call: Call, components: Components, model: ast.expr | None) -> Schema | None:
    """The schema of the model a variable holds: a parameter's annotation or a constructor call."""
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


def _object(operation: Operation, call: Call, components: Components, node: ast.Dict) -> Schema:
    """An object written out as a dictionary; its values are typed by the parameters they name."""
    properties: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant):
            continue
        if isinstance(value, ast.Dict):
            properties[str(key.value)] = _object(operation, call, components, value)
        else:
            properties[str(key.value)] = _value(operation, call, components, value)
    operation.guesses.append("the body's fields are read from a dictionary in the code")
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(properties)} if properties else schema


def _value(operation: Operation, call: Call, components: Components, value: ast.expr) -> Schema:
    names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
    for name in names:
        annotation, _ = call.argument(name)
        if annotation is not None:
            try:
                return components.reader.read(annotation, call.module)
            except UnreadableError as problem:
                operation.guesses.append(f"{name}: no rule for {problem}")
    operation.guesses.append(f"the type of {ast.unparse(value)} is not known, taken for a string")
    return {"type": "string"}


def _query(call: Call) -> Iterator[tuple[str, ast.expr | None]]:
    """Names and value expressions of the query parameters of `call`."""
    options = call.keyword("options")
    if isinstance(options, ast.Name):
        options = call.assigned(options.id)
    if isinstance(options, ast.Dict):
        for key, value in zip(options.keys, options.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "params":
                yield from _entries(call, value)
    elif isinstance(options, ast.Call):
        for keyword in options.keywords:
            if keyword.arg == "query":
                yield from _entries(call, keyword.value)


def _entries(call: Call, params: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(params, ast.Dict):
        for key, value in zip(params.keys, params.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), value
    elif isinstance(params, ast.Name):
        assigned = call.assigned(params.id)
        if assigned is not None:
            yield from _entries(call, assigned)
        for function in call.functions:
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign) and _sets_item(statement, params.id):
                    target = statement.targets[0]
                    assert isinstance(target, ast.Subscript)
                    yield str(ast.literal_eval(target.slice)), statement.value
    elif isinstance(params, ast.Call) and isinstance(params.func, ast.Attribute):
        yield f"*{ast.unparse(params.func.value)}", params.func.value


def _parameter(
    operation: Operation, call: Call, components: Components, name: str, value: ast.expr | None
) -> tuple[Schema, bool]:
    """Schema of a query parameter, and whether it must be sent."""
    if name.startswith("*"):
        schema = _model_of(call, components, value)
        return schema or {}, True
    schema = _value(operation, call, components, value) if value is not None else {}
    parameter = value.id if isinstance(value, ast.Name) else name
    _, default = call.argument(parameter)
    if isinstance(default, ast.Constant) and default.value is not None:
        return {**schema, "default": default.value}, False
    optional = schema == nullable(schema)
    parts = [part for part in schema.get("anyOf", []) if part != NULL]
    if optional and len(parts) == 1:
        schema = parts[0]
    return schema, not optional and default is None


def _sets_item(statement: ast.Assign, name: str) -> bool:
    target = statement.targets[0]
    return (
        isinstance(target, ast.Subscript)
        and is_name(target.value, name)
        and isinstance(target.slice, ast.Constant)
    )
