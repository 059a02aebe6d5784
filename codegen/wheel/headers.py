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

HEADER = re.compile(r"X(-[A-Z][A-Za-z0-9]*)+")
OCTETS = "application/octet-stream"
CONTENT_TYPE = "Content-Type"


def headers_of(call: Call) -> set[str]:
    """The literal header names (`X-...`) in the function that makes the call."""
    return {name for function in call.functions[:1] for name in _names(function)}


def all_headers(source: Source) -> set[str]:
    """The literal header names in the whole wheel, except telemetry about the client."""
    names = {name for module in source.modules.values() for name in _names(module.tree)}
    return {name for name in names if not name.startswith("X-Stainless-")}


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
        if isinstance(text, str) and HEADER.fullmatch(text):
            yield text
