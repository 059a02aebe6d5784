"""Validators and converters of attrs fields that hold one number or flag, and of shapes.

A failed check raises InvalidInputError with the field's name as ``where``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from tinker_ext.errors import InvalidInputError

Check: TypeAlias = Callable[[Any, Any, Any], None]


def check_number(says: str, fits: Callable[[float], bool]) -> Check:
    """A validator for finite numbers (bools are none) for which ``fits`` holds."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (real and math.isfinite(value) and fits(value)):
            raise InvalidInputError(f"expected {says}, got {value!r}", where=attribute.name)

    return check


def check_integer(says: str, fits: Callable[[int], bool], *, optional: bool = False) -> Check:
    """A validator for integers (bools are none) for which ``fits`` holds."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if optional and value is None:
            return
        if type(value) is not int or not fits(value):
            raise InvalidInputError(f"expected {says}, got {value!r}", where=attribute.name)

    return check


def plain_number(value: Any) -> Any:
    """A numpy (or torch) scalar as the Python number it holds; anything else unchanged."""
    return value.item() if getattr(value, "shape", None) == () else value


def plain_float(value: float) -> float:
    """`plain_number` for a float field, so that the constructor is typed."""
    found: float = plain_number(value)
    return found


def plain_int(value: int) -> int:
    """`plain_number` for an int field."""
    found: int = plain_number(value)
    return found


def plain_int_or_none(value: int | None) -> int | None:
    """`plain_number` for an int field that may be left open."""
    found: int | None = plain_number(value)
    return found


def check_bool(_instance: object, attribute: Any, value: Any) -> None:
    """A validator for True and False, and nothing that only looks like them."""
    if type(value) is not bool:
        raise InvalidInputError(f"expected True or False, got {value!r}", where=attribute.name)


def check_literal(word: object) -> Check:
    """A validator for a field that has one value, such as the name of its type on the wire."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if value != word or isinstance(value, bool):  # True is equal to 1
            raise InvalidInputError(f"expected {word!r}, got {value!r}", where=attribute.name)

    return check


def read_shape(shape: object) -> list[int]:
    """The sizes of a tensor's dimensions.

    Raises:
        InvalidInputError: they are no whole numbers from 0 up to what an int64 holds.
    """
    sizes = list(map(plain_number, shape)) if isinstance(shape, Iterable) else None
    if sizes is None or not all(type(size) is int and 0 <= size < 2**63 for size in sizes):
        raise InvalidInputError(
            f"expected the sizes of the dimensions, whole numbers from 0, got {shape!r}",
            where="shape",
        )
    return sizes
