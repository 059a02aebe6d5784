"""Arguments of calls: what could only be refused by the server is refused here, by name.

A failed check raises InvalidInputError with the argument's name as ``where``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number


def check_int(value: object, least: int, where: str) -> None:
    """Refuse anything but a whole number (Python's or numpy's) from `least` on."""
    found = plain_number(value)
    if not isinstance(found, int) or isinstance(found, bool) or found < least:
        raise InvalidInputError(f"expected {least} or more, got {value!r}", where=where)


def check_bool(value: object, where: str) -> None:
    """Refuse anything but True and False."""
    if type(plain_number(value)) is not bool:
        raise InvalidInputError(f"expected True or False, got {value!r}", where=where)


def check_nonempty_str(value: object, where: str) -> None:
    """Refuse what is no text, and an empty one."""
    if not isinstance(value, str):
        raise InvalidInputError(f"expected text, got {type(value).__name__}", where=where)
    if not value:
        raise InvalidInputError("must not be empty", where=where)


def check_str_mapping(value: object, where: str) -> None:
    """Refuse what is no mapping of texts to texts."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"expected texts by name, got {type(value).__name__}", where=where)
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidInputError(
                f"expected texts by name, got {text!r}", where=f"{where}[{name!r}]"
            )
