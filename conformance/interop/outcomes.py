"""The possible outcomes of a client's step on a server."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Ending(StrEnum):
    """The kind of outcome."""

    OK = "ok"
    #: The server accepted a deliberate mistake.
    ACCEPTED = "accepted"
    #: One of this package's errors: the server does not support the operation.
    TYPED_ERROR = "typed error"
    #: The server reported success without doing the work.
    SERVER_WRONG = "server wrong"
    #: Any other exception, or an impossible value.
    WRONG = "wrong"
    HUNG = "hung"
    #: An error of an official client; its cause is not investigated.
    FAILED = "failed"
    #: Depends on a result of an earlier step that failed.
    LEFT_OUT = "left out"

    @property
    def good(self) -> bool:
        """Whether this client behaved correctly, whatever the server did."""
        return self not in (Ending.WRONG, Ending.HUNG)


@frozen
class Outcome:
    """The ending of one step, an error message or remark, and the duration in seconds."""

    name: str
    ending: Ending
    detail: str
    seconds: float
