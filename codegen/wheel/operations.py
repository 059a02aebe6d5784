"""Combines the HTTP calls of a wheel into operations: bodies, responses, query parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.json_schema import Schema, any_of, not_null, nullable
from codegen.wheel.bodies import BODY_ARGUMENTS, model_of, request_bodies, value_schema
from codegen.wheel.calls import Call, calls_in, is_name, stray_paths
from codegen.wheel.headers import HEADER_ARGUMENTS, headers_of
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
    plain_headers: list[frozenset[str]] = field(default_factory=list)
    """The headers of each call that does not go through the SDK client."""
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
    _check_arguments(call, components)
    operation.headers |= headers_of(call)
    if call.is_plain:
        operation.plain_headers.append(frozenset(headers_of(call)))
    response = _response(operation, call, components)
    if response is not None:
        known = operation.response
        operation.response = response if known is None else any_of([known, response])
    for kind, schema in request_bodies(call, components, operation.guesses).items():
        known = operation.bodies.get(kind)
        operation.bodies[kind] = schema if known is None else any_of([known, schema])
    query = {
        name: _parameter(operation, call, components, name, value)
        for name, value in _query(call, components)
    }
    first = len(operation.calls) == 1
    for name in operation.query.keys() - query.keys():
        operation.query[name] = (operation.query[name][0], False)
    for name, (schema, required) in query.items():
        known_schema, known_required = operation.query.get(name, (schema, first))
        operation.query[name] = (any_of([known_schema, schema]), required and known_required)


ARGUMENTS = {*BODY_ARGUMENTS, *HEADER_ARGUMENTS, "cast_to", "options", "params"}
OPTIONS = {"params", "headers", "max_retries", "timeout", "idempotency_key", "follow_redirects"}
REQUEST_OPTIONS = {"extra_headers", "extra_query", "extra_body", "query", "timeout"}
REQUEST_OPTIONS |= {"idempotency_key"}
"""Arguments that are read, or that do not change the request: waiting, retries, and what a caller
of the SDK adds for itself."""


def _check_arguments(call: Call, components: Components) -> None:
    """Report arguments of a call, and of its options, that the reader does not understand."""
    if len(call.node.args) > (2 if ast.unparse(call.node.func).endswith("request") else 1):
        components.gap(call.where, "the call has further positional arguments")
    for keyword in call.node.keywords:
        if keyword.arg not in ARGUMENTS:
            components.gap(call.where, f"no rule for the argument {ast.unparse(keyword)}")
    for options in _options(call):
        if isinstance(options, ast.Dict):
            names = [key.value if isinstance(key, ast.Constant) else None for key in options.keys]
            unknown = [str(name) for name in names if name not in OPTIONS]
        elif isinstance(options, ast.Call):
            unknown = [
                ast.unparse(keyword)
                for keyword in options.keywords
                if keyword.arg not in REQUEST_OPTIONS
            ]
        else:
            unknown = [ast.unparse(options)]
        for name in unknown:
            components.gap(call.where, f"no rule for the option {name}")
    for name in _set_items(call, call.keyword("options")):
        if name not in OPTIONS:
            components.gap(call.where, f"no rule for the option {name}")


def _options(call: Call) -> Iterator[ast.expr]:
    """The values of `options=`, all of them if it is a variable."""
    options = call.keyword("options")
    if isinstance(options, ast.Name) and call.argument(options.id) == (None, None):
        yield from call.assignments(options.id)
    elif options is not None:
        yield options


def _set_items(call: Call, variable: ast.expr | None) -> Iterator[str]:
    """The keys that are set in a variable, as in `options["max_retries"] = 1`."""
    if isinstance(variable, ast.Name):
        for function in call.functions:
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign) and _sets_item(statement, variable.id):
                    target = statement.targets[0]
                    assert isinstance(target, ast.Subscript)
                    yield str(ast.literal_eval(target.slice))


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
            components.gap(call.where, f"the response is not understood: {ast.unparse(target)}")
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


def _query(call: Call, components: Components) -> Iterator[tuple[str, ast.expr | None]]:
    """Names and value expressions of the query parameters of `call`."""
    params = [call.keyword("params")]
    for options in _options(call):
        if isinstance(options, ast.Dict):
            pairs = zip(options.keys, options.values, strict=True)
            params += [value for key, value in pairs if _is_text(key, "params")]
        elif isinstance(options, ast.Call):
            params += [keyword.value for keyword in options.keywords if keyword.arg == "query"]
    for value in params:
        if value is not None:
            yield from _entries(call, components, value)


def _is_text(node: ast.expr | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _entries(
    call: Call, components: Components, params: ast.expr
) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(params, ast.Dict):
        for key, value in zip(params.keys, params.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), value
            else:
                components.gap(call.where, f"no rule for the query {ast.unparse(params)}")
    elif isinstance(params, ast.Name) and call.assigned(params.id) is not None:
        for assigned in call.assignments(params.id):
            yield from _entries(call, components, assigned)
        for function in call.functions:
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign) and _sets_item(statement, params.id):
                    target = statement.targets[0]
                    assert isinstance(target, ast.Subscript)
                    yield str(ast.literal_eval(target.slice)), statement.value
    elif isinstance(params, ast.Call) and isinstance(params.func, ast.Attribute):
        yield f"*{ast.unparse(params.func.value)}", params.func.value
    else:
        components.gap(call.where, f"no rule for the query {ast.unparse(params)}")


def _parameter(
    operation: WheelOperation, call: Call, components: Components, name: str, value: ast.expr | None
) -> tuple[Schema, bool]:
    """The schema of a query parameter, and whether it is required."""
    if name.startswith("*"):
        schema = model_of(call, components, value)
        if schema is None:
            components.gap(call.where, f"no rule for the query {name[1:]}")
        return schema or {"type": "object"}, True
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
