"""The one error of this room."""

from __future__ import annotations


class EngineInputError(ValueError):
    """What was asked for can't be computed, and the asker has to change it.

    `where` names the place in the request, such as ``data[3].loss_fn_inputs['weights']``, or is
    empty when the whole request is meant.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.where))


def _rebuild(message: str, where: str) -> EngineInputError:
    return EngineInputError(message, where=where)
