"""Validation errors of a request, in the list form that FastAPI uses.

``{"detail": [{"loc": ["body", "data", 3, "shape"], "msg": "is required", "type": "missing"}]}``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import jsonschema_rs

    Location = Sequence[str | int]
    Entry = dict[str, Any]

# JSON types as written in messages, and as codes of pydantic 2.
TYPE_NAMES = {
    "string": ("a string", "string_type"),
    "integer": ("an integer", "int_type"),
    "number": ("a number", "float_type"),
    "boolean": ("true or false", "bool_type"),
    "array": ("a list", "list_type"),
    "object": ("an object", "dict_type"),
    "null": ("null", "none_required"),
}

# Other keywords of JSON Schema as codes of pydantic 2.
CODES = {
    "minimum": "greater_than_equal",
    "exclusiveMinimum": "greater_than",
    "maximum": "less_than_equal",
    "exclusiveMaximum": "less_than",
    "minItems": "too_short",
    "maxItems": "too_long",
    "minLength": "string_too_short",
    "maxLength": "string_too_long",
    "pattern": "string_pattern_mismatch",
}


def validation_error(location: Location, code: str, message: str) -> Entry:
    """One entry of the list."""
    return {"loc": list(location), "msg": message, "type": code}


def unprocessable(entries: Sequence[Entry]) -> RejectedRequestError:
    """A 422 response with these validation errors."""
    return RejectedRequestError(422, list(entries))


def field_error(field: str, code: str, message: str) -> RejectedRequestError:
    """A 422 response about one field of the body."""
    return unprocessable([validation_error(("body", field), code, message)])


def entries_of(error: jsonschema_rs.ValidationError, prefix: Location) -> Iterator[Entry]:
    """One schema violation as entries: one per missing or unexpected field, otherwise one."""
    location = [*prefix, *error.instance_path]
    keyword, details = error.kind.name, error.kind
    if keyword == "required":
        name = details.as_dict()["property"]
        yield validation_error([*location, name], "missing", "is required")
    elif keyword == "additionalProperties":
        for name in details.as_dict()["unexpected"]:
            yield validation_error([*location, name], "extra_forbidden", "is not a known field")
    elif keyword == "type":
        yield _type_error(location, details.as_dict()["types"])
    elif keyword in ("anyOf", "oneOf"):
        yield from _alternatives(error, prefix)
    elif keyword == "enum":
        options = ", ".join(map(repr, details.as_dict()["options"]))
        yield validation_error(location, "literal_error", f"must be one of {options}")
    elif keyword == "const":
        expected = details.as_dict()["expected_value"]
        yield validation_error(location, "literal_error", f"must be {expected!r}")
    else:
        yield validation_error(location, CODES.get(keyword, keyword), error.message)


def _type_error(location: Location, names: Sequence[str]) -> Entry:
    expected = " or ".join(TYPE_NAMES[name][0] for name in names)
    return validation_error(location, TYPE_NAMES[names[0]][1], f"must be {expected}")


def _alternatives(error: jsonschema_rs.ValidationError, prefix: Location) -> Iterator[Entry]:
    """Of several allowed schemas, report the violations of the closest one.

    A schema that requires another type of value is not considered. If none remains, the allowed
    types are reported.
    """
    depth = len(error.instance_path)
    branches: list[list[jsonschema_rs.ValidationError]] = error.kind.as_dict()["context"]
    candidates = [branch for branch in branches if not _has_other_type(branch, depth)]
    if candidates:
        closest = min(candidates, key=lambda branch: _distance(branch, depth))[0]
        names = _allowed_types(candidates, closest.instance_path)
        if closest.kind.name == "type":
            yield _type_error([*prefix, *closest.instance_path], names)
        else:
            yield from entries_of(closest, prefix)
        return
    location = [*prefix, *error.instance_path]
    names = _allowed_types(branches, error.instance_path)
    if names:
        yield _type_error(location, names)
    else:
        yield validation_error(location, "union", "matches none of the allowed forms")


def _allowed_types(
    branches: Sequence[Sequence[jsonschema_rs.ValidationError]], location: Location
) -> list[str]:
    """Every type that some schema allows at this location."""
    names = [
        name
        for branch in branches
        for error in branch
        if error.kind.name == "type" and error.instance_path == location
        for name in error.kind.as_dict()["types"]
    ]
    # Every integer is a number.
    return [name for name in dict.fromkeys(names) if name != "integer" or "number" not in names]


def _has_other_type(branch: Sequence[jsonschema_rs.ValidationError], depth: int) -> bool:
    """Whether the value itself, not a value inside it, has the wrong type or tag."""
    return any(
        (error.kind.name == "type" and len(error.instance_path) == depth)
        or (error.kind.name == "const" and len(error.instance_path) == depth + 1)
        for error in branch
    )


def _distance(branch: Sequence[jsonschema_rs.ValidationError], depth: int) -> tuple[int, int]:
    """Fewer violations are closer; of equally many, the more deeply nested ones."""
    return len(branch), -max(len(error.instance_path) - depth for error in branch)
