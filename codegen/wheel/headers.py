"""Header names and content types written out around a call.

Headers are often put on in another module than the one with the call, so those found nowhere near
a call are listed for the whole wheel; the overlay says where they belong.
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
    """Names of the headers (`X-...`) written out in the function that makes the call."""
    return {name for function in call.functions[:1] for name in _names(function)}


def all_headers(source: Source) -> set[str]:
    """Names of all headers written out anywhere in the wheel, telemetry about the client apart."""
    found = {name for module in source.modules.values() for name in _names(module.tree)}
    return {name for name in found if not name.startswith("X-Stainless-")}


def content_type(call: Call, source: Source) -> str:
    """The content type the function around `call` sets; that of plain bytes if it sets none."""
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
        found = source.resolve(call.module, value)
        if isinstance(found, Definition) and isinstance(found.node, ast.Assign):
            value = found.node.value
    return str(value.value) if isinstance(value, ast.Constant) else None


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and HEADER.fullmatch(text):
            yield text
