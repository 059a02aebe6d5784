"""Combines the HTTP calls of a wheel into operations: bodies, responses, query parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.json_schema import Schema, not_null, nullable
from codegen.wheel.bodies import bodies, model_of, value_schema
from codegen.wheel.calls import Call, calls_in, is_name, stray_paths
from codegen.wheel.headers import headers_of
from codegen.wheel.source import Definition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.wheel.schemas import Components


@dataclass
class WheelOperation:
    """One method and path, with all calls of it in the wheel."""

    method: str
    path: str
    calls: list[str] = field(default_factory=list)
    tag: str = ""
    bodies: dict[str, Schema] = field(default_factory=dict)
    response: Schema | None = None
    query: dict[str, tuple[Schema, bool]] = field(default_factory=dict)
    headers: set[str] = field(default_factory=set)
    guesses: list[str] = field(default_factory=list)


def find_operations(components: Components) -> list[WheelOperation]:
    """All operations of the wheel, sorted by path and method."""
    operations: dict[tuple[str, str], WheelOperation] = {}
    for name in sorted(components.source.modules):
        module = components.source.modules[name]
        calls = list(calls_in(module))
        for call in calls:
            key = (call.path, call.method)
            operation = operations.setdefault(key, WheelOperation(call.method, call.path))
            _describe(operation, call, components)
        components.problems += stray_paths(module, calls)
    return [operations[key] for key in sorted(operations)]


def _describe(operation: WheelOperation, call: Call, components: Components) -> None:
    """Add the information in `call` to `operation`."""
    outermost = call.functions[-1].name if call.functions else "module"
    operation.calls.append(f"{call.module.name}.{outermost.strip('_').removesuffix('_submit')}")
    parts = call.module.name.split(".")
    if "resources" in parts or not operation.tag:
        operation.tag = parts[-1]
    operation.headers |= headers_of(call)
    operation.response = operation.response or _response(operation, call, components)
    body = call.keyword("body")
    if body is not None and not operation.bodies:
        operation.bodies = bodies(call, components, body, operation.guesses)
    for name, value in _query(call):
        operation.query.setdefault(name, _parameter(operation, call, components, name, value))


def _response(operation: WheelOperation, call: Call, components: Components) -> Schema | None:
    """The schema of `cast_to`, or of the model that the enclosing function passes to a parser."""
    target = call.keyword("cast_to")
    while isinstance(target, ast.Call) and target.args:
        target = target.args[-1]
    if target is None:
        target = _parsed_model(call)
    if isinstance(target, ast.Subscript):  # an open map, such as dict[str, object]
        return components.reader.read(target, call.module)
    if not isinstance(target, ast.Name | ast.Attribute):
        if target is not None and not isinstance(target, ast.Constant):
            operation.guesses.append(f"the response is not understood: {ast.unparse(target)}")
        return None
    model = components.source.resolve(call.module, target)
    if isinstance(model, Definition) and not _is_marker(model):
        return components.refer(model)
    return None


def _parsed_model(call: Call) -> ast.expr | None:
    for function in call.functions[:1]:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_parse"):
                return node.args[-1]
    return None


def _is_marker(definition: Definition) -> bool:
    """Returns True for `NoneType` and the raw response classes, which are not sent."""
    name = definition.module.name
    return ".types" not in name and name.rsplit(".", 1)[-1] in {
        "_types",
        "_response",
    }


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
    operation: WheelOperation, call: Call, components: Components, name: str, value: ast.expr | None
) -> tuple[Schema, bool]:
    """The schema of a query parameter, and whether it is required."""
    if name.startswith("*"):
        schema = model_of(call, components, value)
        return schema or {}, True
    schema = value_schema(call, components, value, operation.guesses) if value is not None else {}
    parameter = value.id if isinstance(value, ast.Name) else name
    _, default = call.argument(parameter)
    if isinstance(default, ast.Constant) and default.value is not None:
        return {**schema, "default": default.value}, False
    optional = schema == nullable(schema)
    return not_null(schema), not optional and default is None


def _sets_item(statement: ast.Assign, name: str) -> bool:
    target = statement.targets[0]
    return (
        isinstance(target, ast.Subscript)
        and is_name(target.value, name)
        and isinstance(target.slice, ast.Constant)
    )
