"""The literal header names and content types near a call.

Headers are often set in another module than that of the call, so the headers of the whole wheel are
listed as well; the overlay assigns them to operations.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from codegen.wheel.source import Definition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.wheel.calls import Call
    from codegen.wheel.source import Source

CUSTOM = re.compile(r"x(-[a-z0-9]+)+", re.IGNORECASE)
AUTHORIZATION = "Authorization"
CLIENT_HEADERS = ("x-stainless-", "x-sdk-", "x-username")
"""Beginnings of the headers about the client and its user, which every request may have."""

HEADER_ARGUMENTS = ("headers", "extra_headers", "extra_headers_secret")
NEGOTIATION = {"accept", "content-type", "content-encoding"}
"""Headers that the content types and `x-content-encoding` of an operation describe."""

OCTETS = "application/octet-stream"
CONTENT_TYPE = "Content-Type"


def headers_of(call: Call) -> set[str]:
    """The literal header names of one call: in its arguments, its options, and their variables."""
    values = [call.keyword(name) for name in (*HEADER_ARGUMENTS, "options")]
    names = {name for value in values if value is not None for name in _keys(call, value)}
    return {name for name in names if name.lower() not in NEGOTIATION}


def _keys(call: Call, value: ast.expr) -> Iterator[str]:
    """The keys of a dictionary with headers, also inside options or behind a variable."""
    if isinstance(value, ast.Name):
        for assigned in call.assignments(value.id):
            yield from _keys(call, assigned)
        for function in call.functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                    stored = isinstance(node.ctx, ast.Store) and node.value.id == value.id
                    if stored and isinstance(node.slice, ast.Constant):
                        yield from _header(str(node.slice.value))
    elif isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if not isinstance(key, ast.Constant):
                continue
            name = str(key.value)
            if name == "headers":
                yield from _keys(call, item)
            else:
                yield from _header(name)
    elif isinstance(value, ast.Call):
        for keyword in value.keywords:
            if keyword.arg in HEADER_ARGUMENTS:
                yield from _keys(call, keyword.value)
    elif isinstance(value, ast.IfExp):
        yield from _keys(call, value.body)
        yield from _keys(call, value.orelse)


def _header(key: str) -> Iterator[str]:
    """`key` if it is the name of a header; options such as `max_retries` are in lower case."""
    if CUSTOM.fullmatch(key) or key[:1].isupper():
        yield key


def all_headers(source: Source) -> tuple[set[str], set[str]]:
    """The literal names of headers in the whole wheel: of operations, and about the client."""
    names = {name for module in source.modules.values() for name in _names(module.tree)}
    client = {name for name in names if name.lower().startswith(CLIENT_HEADERS)}
    return names - client, client


def content_type(call: Call, source: Source) -> str:
    """The content type that an enclosing function of `call` sets; by default octet-stream."""
    for function in call.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == CONTENT_TYPE:
                        return _text(value, call, source) or OCTETS
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                key = node.targets[0].slice
                if isinstance(key, ast.Constant) and key.value == CONTENT_TYPE:
                    return _text(node.value, call, source) or OCTETS
    return OCTETS


def _text(value: ast.expr, call: Call, source: Source) -> str | None:
    if isinstance(value, ast.Name):
        target = source.resolve(call.module, value)
        if isinstance(target, Definition) and isinstance(target.node, ast.Assign):
            value = target.node.value
    return str(value.value) if isinstance(value, ast.Constant) else None


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (CUSTOM.fullmatch(text) or text == AUTHORIZATION):
            yield text
