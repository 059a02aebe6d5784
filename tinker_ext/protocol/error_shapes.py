"""What a refusal says is wrong with a request, in the shapes in which servers say it.

FastAPI and what imitates it list faults: `{"detail": [{"type": "missing", "loc": ["body", "x"]}]}`.
Others write a sentence: pydantic's ("Extra inputs are not permitted"), that of JSON Schema
("Additional properties are not allowed ('x' was unexpected)", "'x' is a required property"), or
serde's ("unknown field `x`, expected one of ...", "missing field `x`").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: With these a server answers to an operation that it has not got; 404 also to a missing model.
MISSING_STATUSES = frozenset({404, 405, 501})
# What web frameworks say of a path they have not got; a missing model has other words.
_FRAMEWORK_WORDS = frozenset(
    {"not found", "method not allowed", "not implemented", "404 page not found"}
)
# FastAPI's codes for a body of which nothing could be read.
_UNREADABLE = frozenset({"json_invalid", "model_attributes_type", "dict_type"})
# The length of a place at the top of the body: "body", and the field.
_TOP = 2
_QUOTED = r"[`'\"]([A-Za-z_]\w*)[`'\"]"
_MISSING_WORDS = (
    re.compile(rf"missing field {_QUOTED}", re.IGNORECASE),
    re.compile(rf"{_QUOTED} is a required property", re.IGNORECASE),
)
_UNKNOWN_WORDS = (
    re.compile(rf"unknown field:? {_QUOTED}", re.IGNORECASE),
    re.compile(r"Additional properties are not allowed \((.*?) (?:was|were) unexpected\)"),
)


def missing_fields(body: object) -> frozenset[str]:
    """The fields that a refusal misses, by their own names."""
    listed = {_name(fault) for fault in _faults(body) if fault.get("type") == "missing"}
    return frozenset(listed - {""}) | _named(body, _MISSING_WORDS)


def unknown_fields(body: object, *, at_top: bool = False) -> frozenset[str]:
    """The fields that a refusal has no use for, by their own names; only those `at_top` if asked.

    A sentence does not say where in the body a field is.
    """
    listed = {
        _name(fault)
        for fault in _faults(body)
        if not (at_top and len(_place(fault)) > _TOP)
        if fault.get("type") in ("extra_forbidden", "value_error.extra")
        or "extra inputs are not permitted" in str(fault.get("msg", "")).lower()
    }
    return frozenset(listed - {""}) | _named(body, _UNKNOWN_WORDS)


def is_unreadable_body(status: int, body: object) -> bool:
    """Whether the body as such can't be read, which another form of it may mend."""
    if status == 415:
        return True
    if status not in (400, 422):
        return False
    faults = list(_faults(body))
    return bool(faults) and all(_is_whole_body(fault) for fault in faults)


def no_such_operation(status: int, body: object) -> bool:
    """Whether an answer says that there is no such operation, and not no such model."""
    if status not in MISSING_STATUSES:
        return False
    words = body.get("detail") if isinstance(body, dict) else body
    if not words or not isinstance(words, str):
        return True
    return words.strip().rstrip(".").lower() in _FRAMEWORK_WORDS


def _faults(body: object) -> Iterator[dict[str, Any]]:
    entries = body.get("detail") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry


def _place(fault: dict[str, Any]) -> list[Any]:
    place = fault.get("loc")
    return place if isinstance(place, list) else []


def _name(fault: dict[str, Any]) -> str:
    """The field of a fault in the body, however deep in it; "" where it is none."""
    place = _place(fault)
    return str(place[-1]) if place[:1] == ["body"] and len(place) > 1 else ""


def _is_whole_body(fault: dict[str, Any]) -> bool:
    place = _place(fault)
    # The body itself, or the character of it at which it stops being JSON.
    deeper = place[1:] if place[:1] == ["body"] else ["elsewhere"]
    at_top = not deeper or (len(deeper) == 1 and isinstance(deeper[0], int))
    return fault.get("type") in _UNREADABLE and at_top


def _named(body: object, patterns: tuple[re.Pattern[str], ...]) -> frozenset[str]:
    """The names that a sentence of the body has in the place for one."""
    found: set[str] = set()
    for words in _sentences(body):
        for pattern in patterns:
            for match in pattern.findall(words):
                found.update(re.findall(r"[A-Za-z_]\w*", match))
    return frozenset(found)


def _sentences(body: object) -> Iterator[str]:
    """The texts in which a server may explain itself."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for name in ("detail", "message", "error"):
            inner = body.get(name)
            if isinstance(inner, str | dict):
                yield from _sentences(inner)
