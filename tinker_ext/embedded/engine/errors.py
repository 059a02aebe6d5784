"""The error of this package."""

from __future__ import annotations


class EngineInputError(ValueError):
    """The input is invalid; the user has to change it.

    `where` is the location in the request, such as ``data[3].loss_fn_inputs['weights']``, or empty
    for the whole request.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.where))


def _rebuild(message: str, where: str) -> EngineInputError:
    return EngineInputError(message, where=where)
