"""Checks of arguments that the server would reject.

A failed check raises InvalidInputError with the argument's name as ``where``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number


def check_int(value: object, minimum: int, where: str) -> None:
    """Require an integer (Python's or numpy's) of at least `minimum`."""
    number = value if type(value) is int else plain_number(value)
    if not isinstance(number, int) or isinstance(number, bool) or number < minimum:
        raise InvalidInputError(
            f"expected an integer of at least {minimum}, got {value!r}", where=where
        )


def check_bool(value: object, where: str) -> None:
    """Require True or False."""
    if type(plain_number(value)) is not bool:
        raise InvalidInputError(f"expected True or False, got {value!r}", where=where)


def check_nonempty_str(value: object, where: str) -> None:
    """Require a non-empty string."""
    if not isinstance(value, str):
        raise InvalidInputError(f"expected a str, got {type(value).__name__}", where=where)
    if not value:
        raise InvalidInputError("must not be empty", where=where)


def check_str_mapping(value: object, where: str) -> None:
    """Require a mapping of strings to strings."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"expected a mapping of str to str, got {type(value).__name__}", where=where
        )
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidInputError(
                f"expected a str key with a str value, got {text!r}", where=f"{where}[{name!r}]"
            )
