"""An extension of griffe for the API reference: fields of attrs classes, and examples as code.

griffe knows the fields of dataclasses only, and recognizes an example only in a section of its own.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from griffe import Class, Docstring, Extension, Object, dynamic_import

#: Lines from `>>>` to the next empty or less indented line.
_EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?P=indent) *\S.*)*", re.MULTILINE)


class CompleteDocstrings(Extension):
    """Adds the fields of a class to its docstring, and encloses examples in fenced blocks."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        text = fence_examples(obj.docstring.value) if obj.docstring else ""
        if isinstance(obj, Class) and "Attributes:" not in text:
            text = f"{text}\n\n{fields_of(obj)}".strip()
        if not text:
            return
        if obj.docstring is None:
            obj.docstring = Docstring(text, parent=obj)
        else:
            obj.docstring.value = text


def fence_examples(docstring: str) -> str:
    """The docstring with its examples in fenced code blocks."""
    return _EXAMPLE.sub(
        lambda match: f"{match['indent']}```pycon\n{match[0]}\n{match['indent']}```", docstring
    )


def fields_of(obj: Class) -> str:
    """The public fields of an attrs class as a list; empty for any other class."""
    cls = dynamic_import(obj.path)
    if not isinstance(cls, type) or not attrs.has(cls) or obj.path.startswith("tinker_api."):
        return ""
    shown = [_field(field) for field in attrs.fields(cls) if not field.name.startswith("_")]
    return "\n".join(["**Fields:**", "", *shown]) if shown else ""


def _field(field: Any) -> str:
    """One field (`attrs.Attribute`) as an item of a list."""
    kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "Any")
    default = field.default
    if default is attrs.NOTHING:
        return f"- `{field.name}`: `{kind}`"
    shown = "empty" if hasattr(default, "factory") else f"`{default!r}`"
    return f"- `{field.name}`: `{kind}`, default {shown}"
