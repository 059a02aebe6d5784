"""Answers as they go over the wire: results straight from arrays, failures with their culprit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import orjson

from tinker_ext.embedded.storage import storage_problem

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("tinker_ext.embedded")

Category = Literal["user", "server"]


class UserFailureError(Exception):
    """Work that cannot be done as asked; the message tells the asker what to change."""


def encoded(answer: object) -> bytes:
    """JSON; numpy arrays are written as they are, without becoming lists first."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def failure(message: str, category: Category) -> bytes:
    """The answer of work that failed."""
    return encoded({"error": message, "category": category})


def is_failure(answer: bytes) -> bool:
    """Whether an answer is one of `failure`; no other begins that way."""
    return answer.startswith(b'{"error":')


def attempt(act: Callable[[], object], what: str) -> bytes:
    """Do the work and encode its answer; whatever it raises becomes a failed answer.

    The asker's mistakes keep their words, and so do errors of the disk, which would be the same the
    next time. Mistakes of ours are logged with their traceback and reported by type and message.
    """
    from tinker_ext.embedded.engine.errors import EngineInputError

    try:
        return encoded(act())
    except (UserFailureError, EngineInputError) as error:
        return failure(str(error), "user")
    except Exception as error:
        problem = storage_problem(error)
        if problem is not None:
            logger.warning("%s failed: %s", what, problem)
            return failure(f"{what} failed: {problem}", "user")
        logger.exception("%s failed", what)
        return failure(f"{what} failed in the server: {type(error).__name__}: {error}", "server")
