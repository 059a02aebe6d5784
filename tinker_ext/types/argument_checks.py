"""Validators and converters for attrs fields that hold numbers and flags.

A failed check raises InvalidInputError with the field's name as ``where``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast

from tinker_ext.errors import InvalidInputError

Check: TypeAlias = Callable[[Any, Any, Any], None]


def is_finite_number(value: object) -> bool:
    """Returns True for a finite Python number that fits in a float; bools are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond the largest float.
        return False


def check_number(expectation: str, is_valid: Callable[[float], bool]) -> Check:
    """Creates a validator for finite numbers that satisfy ``is_valid``; it rejects bools."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if not (is_finite_number(value) and is_valid(value)):
            raise InvalidInputError(f"expected {expectation}, got {value!r}", where=attribute.name)

    return check


def check_integer(
    expectation: str, is_valid: Callable[[int], bool], *, optional: bool = False
) -> Check:
    """Creates a validator for integers that satisfy ``is_valid``; it rejects bools."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if optional and value is None:
            return
        if type(value) is not int or not is_valid(value):
            raise InvalidInputError(f"expected {expectation}, got {value!r}", where=attribute.name)

    return check


def plain_number(value: Any) -> Any:
    """Converts a numpy or torch scalar to a Python number; returns other values unchanged."""
    return value.item() if getattr(value, "shape", None) == () else value


def plain_float(value: float) -> float:
    """Converts a scalar or the text of a number to a Python number.

    YAML reads ``1e-4`` as text; the official SDK accepts it. Other values are returned unchanged,
    for the validator.
    """
    number: Any = plain_number(value)
    if isinstance(number, str):
        with suppress(ValueError):
            number = float(number)
    return cast("float", number)


def plain_int(value: float) -> int:
    """Converts a scalar, a float without a fraction or the text of an integer to an int.

    Other values are returned unchanged, for the validator.
    """
    number: Any = plain_number(value)
    if isinstance(number, str):
        with suppress(ValueError):
            number = int(number)
    elif isinstance(number, float) and number.is_integer():
        number = int(number)
    return cast("int", number)


def plain_int_or_none(value: float | None) -> int | None:
    """`plain_int` for an optional field."""
    return None if value is None else plain_int(value)


def check_bool(_instance: object, attribute: Any, value: Any) -> None:
    """Validates that the value is a bool, not just truthy or falsy."""
    if type(value) is not bool:
        raise InvalidInputError(f"expected True or False, got {value!r}", where=attribute.name)


def check_literal(literal: object) -> Check:
    """Creates a validator for a field with one value, such as its type's name on the wire."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if value != literal or isinstance(value, bool):  # True == 1
            raise InvalidInputError(f"expected {literal!r}, got {value!r}", where=attribute.name)

    return check
