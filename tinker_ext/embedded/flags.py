"""Flags that a server announces to its clients, other than clients assume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinker_ext.embedded.validation import Specification

# What announces them, asked once and asked again and again.
ANSWERS = ("ClientConfigResponse", "ClientDynamicConfigResponse")


def parse_flag(text: str) -> tuple[str, Any]:
    """Name and value of "name=value", the value as JSON or else a text.

    Raises:
        ValueError: it is nothing of the kind.
    """
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ValueError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def parse_flags(texts: Iterable[str]) -> dict[str, Any]:
    """Values by name, each of which is given once.

    Raises:
        ValueError: one is no flag, or is given twice.
    """
    flags: dict[str, Any] = {}
    for name, value in map(parse_flag, texts):
        if name in flags:
            raise ValueError(f"{name} is given twice")
        flags[name] = value
    return flags


def check_flags(specification: Specification, flags: Mapping[str, Any]) -> None:
    """Refuse flags that no client of the release would read.

    Raises:
        RuntimeError: there is no such flag, or its values are of another type.
    """
    for name, value in flags.items():
        known = [
            specification.defaults(answer).get(name)
            for answer in ANSWERS
            if specification.knows(answer, name)
        ]
        if not known:
            raise RuntimeError(f"this release has no flag {name!r}")
        if known[0] is not None and type(value) is not type(known[0]):
            kind = type(known[0]).__name__
            raise RuntimeError(f"the flag {name} is a {kind}, not {value!r}")


def announced(
    specification: Specification, answer: str, flags: Mapping[str, Any]
) -> dict[str, Any]:
    """One of `ANSWERS`: what clients assume, with these flags instead."""
    mine = {name: value for name, value in flags.items() if specification.knows(answer, name)}
    return specification.defaults(answer) | mine
