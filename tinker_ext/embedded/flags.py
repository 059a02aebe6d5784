"""Server flags: the values that differ from those that clients assume by default."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinker_ext.embedded.validation import Specification

# The responses that contain flags: one is fetched once, the other repeatedly.
FLAG_SCHEMAS = ("ClientConfigResponse", "ClientDynamicConfigResponse")


def parse_flag(text: str) -> tuple[str, Any]:
    """Split "name=value"; the value is JSON, or else a string.

    Raises:
        ValueError: the text has another form.
    """
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ValueError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def parse_flags(texts: Iterable[str]) -> dict[str, Any]:
    """Values by name.

    Raises:
        ValueError: a text does not have the form NAME=VALUE, or a name is repeated.
    """
    flags: dict[str, Any] = {}
    for name, value in map(parse_flag, texts):
        if name in flags:
            raise ValueError(f"{name} is given twice")
        flags[name] = value
    return flags


def check_flags(specification: Specification, flags: Mapping[str, Any]) -> None:
    """Reject flags that clients of the release don't read.

    Raises:
        RuntimeError: the release does not define the flag, or it has another type.
    """
    for name, value in flags.items():
        defaults = [
            specification.defaults(schema).get(name)
            for schema in FLAG_SCHEMAS
            if specification.has_property(schema, name)
        ]
        if not defaults:
            raise RuntimeError(f"this release has no flag {name!r}")
        if defaults[0] is not None and type(value) is not type(defaults[0]):
            expected = type(defaults[0]).__name__
            raise RuntimeError(f"flag {name}: expected a value of type {expected}, got {value!r}")


def flags_of(specification: Specification, schema: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The content of one of `FLAG_SCHEMAS`: the defaults, overridden by `flags`."""
    overrides = {
        name: value for name, value in flags.items() if specification.has_property(schema, name)
    }
    return specification.defaults(schema) | overrides
