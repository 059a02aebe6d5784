"""What is wrong with a request, in the list form that FastAPI made customary.

``{"detail": [{"loc": ["body", "data", 3, "shape"], "msg": "is required", "type": "missing"}]}``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jsonschema_rs import ValidationError

    Place = Sequence[str | int]
    Fault = dict[str, Any]

# JSON's types as they are called where people read them, and in the codes of pydantic 2.
TYPE_NAMES = {
    "string": ("a string", "string_type"),
    "integer": ("an integer", "int_type"),
    "number": ("a number", "float_type"),
    "boolean": ("true or false", "bool_type"),
    "array": ("a list", "list_type"),
    "object": ("an object", "dict_type"),
    "null": ("null", "none_required"),
}

# Other keywords of JSON schema, as codes of pydantic 2.
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


def fault(place: Place, code: str, message: str) -> Fault:
    """One entry of the list."""
    return {"loc": list(place), "msg": message, "type": code}


def unprocessable(faults: Sequence[Fault]) -> RejectedRequestError:
    """The refusal that carries them."""
    return RejectedRequestError(422, list(faults))


def faults_of(problem: ValidationError, prefix: Place) -> Iterator[Fault]:
    """One schema violation as entries: one per missing or superfluous field, else one."""
    place = [*prefix, *problem.instance_path]
    keyword, details = problem.kind.name, problem.kind
    if keyword == "required":
        name = details.as_dict()["property"]
        yield fault([*place, name], "missing", "is required")
    elif keyword == "additionalProperties":
        for name in details.as_dict()["unexpected"]:
            yield fault([*place, name], "extra_forbidden", "is not known here")
    elif keyword == "type":
        yield _type_fault(place, details.as_dict()["types"])
    elif keyword in ("anyOf", "oneOf"):
        yield from _alternatives(problem, prefix)
    elif keyword == "enum":
        options = ", ".join(map(repr, details.as_dict()["options"]))
        yield fault(place, "literal_error", f"must be one of {options}")
    elif keyword == "const":
        expected = details.as_dict()["expected_value"]
        yield fault(place, "literal_error", f"must be {expected!r}")
    else:
        yield fault(place, CODES.get(keyword, keyword), problem.message)


def _type_fault(place: Place, names: Sequence[str]) -> Fault:
    words = " or ".join(TYPE_NAMES[name][0] for name in names)
    return fault(place, TYPE_NAMES[names[0]][1], f"must be {words}")


def _alternatives(problem: ValidationError, prefix: Place) -> Iterator[Fault]:
    """Of several allowed forms, explain the one the value came closest to.

    A form is far off when the value has the wrong type altogether; when all are, the types that
    would do are named.
    """
    depth = len(problem.instance_path)
    branches: list[list[ValidationError]] = problem.kind.as_dict()["context"]
    near = [branch for branch in branches if not _wrong_kind(branch, depth)]
    if near:
        closest = min(near, key=lambda branch: _distance(branch, depth))[0]
        names = _types_allowed(near, closest.instance_path)
        if closest.kind.name == "type":
            yield _type_fault([*prefix, *closest.instance_path], names)
        else:
            yield from faults_of(closest, prefix)
        return
    place = [*prefix, *problem.instance_path]
    names = _types_allowed(branches, problem.instance_path)
    if names:
        yield _type_fault(place, names)
    else:
        yield fault(place, "union", "has none of the forms allowed here")


def _types_allowed(branches: Sequence[Sequence[ValidationError]], place: Place) -> list[str]:
    """Every type that some form would have taken at this place."""
    names = [
        name
        for branch in branches
        for one in branch
        if one.kind.name == "type" and one.instance_path == place
        for name in one.kind.as_dict()["types"]
    ]
    # Every integer is a number.
    return [name for name in dict.fromkeys(names) if name != "integer" or "number" not in names]


def _wrong_kind(branch: Sequence[ValidationError], depth: int) -> bool:
    """Whether the value itself, not something inside it, has the wrong type or tag."""
    return any(
        (one.kind.name == "type" and len(one.instance_path) == depth)
        or (one.kind.name == "const" and len(one.instance_path) == depth + 1)
        for one in branch
    )


def _distance(branch: Sequence[ValidationError], depth: int) -> tuple[int, int]:
    """Fewer faults are nearer; of as many, those deeper inside."""
    return len(branch), -max(len(one.instance_path) - depth for one in branch)
