"""Checks of arguments that the server would reject.

A failed check raises InvalidInputError with the argument's name as ``where``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number
from tinker_ext.types.checkpoint_path import SCHEME

# A URL of any scheme (RFC 3986, 3.1), or an absolute path of a file system: the paths that servers
# return. A name without either is that of a base model.
_PATH = re.compile(r"[a-z][a-z0-9+.-]*://\S|/.|[a-z]:[\\/]", re.IGNORECASE)


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


def validate_ttl(seconds: int | None) -> int | None:
    """Check a lifetime in seconds; None is the server's default, or no limit.

    The server may have a higher minimum.

    Raises:
        InvalidInputError: it is not an integer of at least 1.
    """
    if seconds is not None and (type(seconds) is not int or seconds < 1):
        raise InvalidInputError(
            f"expected an integer of at least 1 second, got {seconds!r}", where="ttl_seconds"
        )
    return seconds


def check_base_model(base_model: str, instead: str) -> None:
    """Reject a checkpoint path as the name of a base model.

    Raises:
        InvalidInputError: it is a path; the message names the argument or method to use `instead`.
    """
    if base_model.lower().startswith(SCHEME):
        raise InvalidInputError(
            f"expected the name of a base model, got {base_model!r}; {instead} takes a path",
            where="base_model",
        )


def check_path(path: object, where: str, instead: str) -> None:
    """Reject a value that cannot be the path of a checkpoint; the server interprets the path.

    Raises:
        InvalidInputError: it is not a path; the message names the argument or method that takes a
            base model `instead`.
    """
    if not is_path(path):
        raise InvalidInputError(
            f"expected the path of a checkpoint, got {path!r}; saving weights returns one, such as "
            f"tinker://RUN/weights/NAME. Pass the name of a base model to {instead}",
            where=where,
        )


def is_path(value: object) -> bool:
    """Whether a value has the form of a path that a server may have returned."""
    return isinstance(value, str) and value.isprintable() and _PATH.match(value) is not None
