"""What would help when a path, a base model or a run's id is given in the place of another."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_ext.errors import InvalidInputError, NotFoundError
from tinker_ext.types.responses.checkpoints import SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterator

# The id of a session (RFC 9562), without the number of a model.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def check_base_model(base_model: str, instead: str) -> None:
    """Refuse a checkpoint's path as the name of a base model.

    Raises:
        InvalidInputError: it is a path; the message says what takes one `instead`.
    """
    if base_model.startswith(SCHEME):
        raise InvalidInputError(
            f"expected a base model's name, got the path {base_model!r}; {instead} takes a path",
            where="base_model",
        )


def check_path(path: object, where: str, instead: str) -> None:
    """Refuse what is not a checkpoint's path.

    Raises:
        InvalidInputError: it is not; the message says what takes a base model `instead`.
    """
    if not isinstance(path, str) or not path.startswith(SCHEME):
        raise InvalidInputError(
            f"expected a tinker:// path, got {path!r}; saved weights have paths such as "
            f"tinker://RUN/weights/NAME, which saving returns, and a base model's name goes to "
            f"{instead}",
            where=where,
        )


@contextmanager
def explaining_run_id(run: str) -> Iterator[None]:
    """Say how runs are named if a server does not find one, given by its id or in a path.

    The id of a session is easily taken for that of its first run (both 0.4.1 to 0.38.0).
    """
    try:
        yield
    except NotFoundError as error:
        run_id = run.removeprefix(SCHEME).partition("/")[0]
        if not error.hint and _UUID.fullmatch(run_id):
            error.hint = (
                f"{run_id} may be a session: the first run of a session is named {run_id}:train:0."
            )
        raise
