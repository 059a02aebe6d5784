"""Error messages for a path, base model or run id passed in place of another."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_ext.errors import InvalidInputError, NotFoundError
from tinker_ext.types.responses.checkpoints import SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterator

# The id of a session (RFC 9562), without a model's sequence number.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def check_base_model(base_model: str, instead: str) -> None:
    """Reject a checkpoint path as the name of a base model.

    Raises:
        InvalidInputError: it is a path; the message names the argument or method to use `instead`.
    """
    if base_model.startswith(SCHEME):
        raise InvalidInputError(
            f"expected the name of a base model, got {base_model!r}; {instead} takes a path",
            where="base_model",
        )


def check_path(path: object, where: str, instead: str) -> None:
    """Reject anything but a checkpoint path.

    Raises:
        InvalidInputError: it is not a path; the message names the argument or method that takes a
            base model `instead`.
    """
    if not isinstance(path, str) or not path.startswith(SCHEME):
        raise InvalidInputError(
            f"expected a tinker:// path, got {path!r}; saving weights returns a path such as "
            f"tinker://RUN/weights/NAME. Pass the name of a base model to {instead}",
            where=where,
        )


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
