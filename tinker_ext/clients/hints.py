"""Error messages for a path, base model or run id passed in place of another."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_ext.errors import InvalidInputError, NotFoundError
from tinker_ext.types.checkpoint_path import SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterator

# A URL of any scheme (RFC 3986, 3.1), or an absolute path of a file system: the paths that servers
# return. A name without either is that of a base model.
_PATH = re.compile(r"[a-z][a-z0-9+.-]*://\S|/.|[a-z]:[\\/]", re.IGNORECASE)
# The id of a session (RFC 9562), without a model's sequence number.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


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


@contextmanager
def run_id_hint(run: str) -> Iterator[None]:
    """Add a hint to a 404 for a training run, given by its id or in a path.

    The id of a session is easily mistaken for that of its first run (both in 0.4.1 to 0.38.0).
    """
    try:
        yield
    except NotFoundError as error:
        run_id = run.removeprefix(SCHEME).partition("/")[0]
        if not error.hint and _UUID.fullmatch(run_id):
            error.hint = (
                f"{run_id} may be a session id: the first run of a session is named "
                f"{run_id}:train:0."
            )
        raise
