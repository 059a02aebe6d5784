"""Extracts the reason for a rejected request from the error bodies of common frameworks.

FastAPI lists validation errors: `{"detail": [{"type": "missing", "loc": ["body", "x"]}]}`. Other
frameworks write a message: pydantic ("Extra inputs are not permitted"), JSON Schema ("Additional
properties are not allowed ('x' was unexpected)", "'x' is a required property"), serde ("unknown
field `x`, expected one of ...", "missing field `x`").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# The patterns are compiled on first use: an error is rare.

#: Status codes for an operation that the server lacks; 404 also means a missing model.
MISSING_STATUSES = frozenset({404, 405, 501})
# Messages of web frameworks for an unknown path; for a missing model, servers write others. FastAPI
# and aiohttp ("404: Not Found"), Go ("404 page not found"), Express ("Cannot POST /path"), and
# HTML pages.
_FRAMEWORK_MESSAGE = (
    r"(?is)(?:404:? )?(?:page )?not found|method not allowed|not implemented|cannot [a-z]+ /\S*|<.*"
)
# FastAPI's error types for a body that can't be parsed at all.
_UNREADABLE = frozenset({"json_invalid", "model_attributes_type", "dict_type"})
# Messages about a body as a whole: FastAPI ("There was an error parsing the body"), axum ("Failed
# to parse the request body as JSON"), Flask ("Content-Type was not 'application/json'"), Django
# REST framework ("JSON parse error"), Express ("Unexpected token"), Go ("invalid character"),
# Python's json and codecs ("'utf-8' codec can't decode byte"), protobuf ("Error parsing message").
_UNREADABLE_PATTERN = (
    r"(?i)content[- ]type|media type"
    r"|pars(?:e|ing) (?:the )?(?:request )?(?:body|json|message|protobuf)"
    r"|json (?:parse|decode) error|(?:not valid|invalid) (?:json|utf-?8|protobuf|character|wire)"
    r"|codec can't decode|unexpected token|expecting value: line|malformed (?:json|body)"
)
# Messages that only repeat the status code.
_EMPTY_MESSAGES = frozenset(
    {"bad request", "unprocessable entity", "unprocessable content", "invalid request"}
)
# The length of the location of a top-level field: "body" and the field.
_TOP_LEVEL = 2
_QUOTED = r"[`'\"]([A-Za-z_]\w*)[`'\"]"
_MISSING_PATTERNS = (
    rf"(?i)missing field {_QUOTED}",
    rf"(?i){_QUOTED} is a required property",
)
_UNKNOWN_PATTERNS = (
    rf"(?i)unknown field:? {_QUOTED}",
    r"Additional properties are not allowed \((.*?) (?:was|were) unexpected\)",
)


def missing_fields(body: object) -> frozenset[str]:
    """Returns the names of the fields that an error body reports as missing."""
    listed = {_name(error) for error in _validation_errors(body) if error.get("type") == "missing"}
    return frozenset(listed - {""}) | _named(body, _MISSING_PATTERNS)


def unknown_fields(body: object, *, at_top: bool = False) -> frozenset[str]:
    """Returns the names of the fields that an error body reports as unknown.

    With `at_top`, listed fields nested deeper in the request are left out. A message doesn't say
    where a field is, so its fields are always included.
    """
    listed = {
        _name(error)
        for error in _validation_errors(body)
        if not (at_top and len(_location(error)) > _TOP_LEVEL)
        if error.get("type") in ("extra_forbidden", "value_error.extra")
        or "extra inputs are not permitted" in str(error.get("msg", "")).lower()
    }
    return frozenset(listed - {""}) | _named(body, _UNKNOWN_PATTERNS)


def is_unreadable_body(status: int, body: object) -> bool:
    """Whether the server can't parse the request body, so that another encoding may succeed."""
    if status == 415:
        return True
    if status not in (400, 422) or missing_fields(body) or unknown_fields(body):
        return False
    validation_errors = list(_validation_errors(body))
    if validation_errors:
        return all(map(_concerns_whole_body, validation_errors))
    return any(re.search(_UNREADABLE_PATTERN, message) for message in messages(body))


def has_no_message(body: object) -> bool:
    """Whether an error body does not say what is wrong with the request."""
    if any(_validation_errors(body)):
        return False
    texts = (message.strip().rstrip(".").lower() for message in messages(body))
    return all(not text or text in _EMPTY_MESSAGES for text in texts)


def no_such_operation(status: int, body: object) -> bool:
    """Whether an error response means a missing operation rather than a missing model.

    A 405 or 501 does, a 404 if its body has no message or that of a framework.
    """
    if status != 404:
        return status in MISSING_STATUSES
    texts = (message.strip().rstrip(".") for message in messages(body))
    return all(not text or re.fullmatch(_FRAMEWORK_MESSAGE, text) for text in texts)


def _validation_errors(body: object) -> Iterator[dict[str, Any]]:
    entries = body.get("detail") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry


def _location(error: dict[str, Any]) -> list[Any]:
    location = error.get("loc")
    return location if isinstance(location, list) else []


def _name(error: dict[str, Any]) -> str:
    """Returns the name of the field, at any depth of the body; "" if the error is elsewhere."""
    location = _location(error)
    return str(location[-1]) if location[:1] == ["body"] and len(location) > 1 else ""


def _concerns_whole_body(error: dict[str, Any]) -> bool:
    location = _location(error)
    # The body itself, or the offset at which it stops being JSON.
    inner = location[1:] if location[:1] == ["body"] else ["elsewhere"]
    at_top = not inner or (len(inner) == 1 and isinstance(inner[0], int))
    return error.get("type") in _UNREADABLE and at_top


def _named(body: object, patterns: tuple[str, ...]) -> frozenset[str]:
    """Returns the field names that the patterns find in the messages of a body."""
    names: set[str] = set()
    for message in messages(body):
        for pattern in patterns:
            for match in re.findall(pattern, message):
                names.update(re.findall(r"[A-Za-z_]\w*", match))
    return frozenset(names)


def messages(body: object) -> Iterator[str]:
    """Yields the texts of a body that may explain the error."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for name in ("detail", "message", "error"):
            inner = body.get(name)
            if isinstance(inner, str | dict):
                yield from messages(inner)
