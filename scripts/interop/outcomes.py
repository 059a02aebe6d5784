"""How one step of a client on a server can end."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Ending(StrEnum):
    """How a step ended."""

    OK = "ok"
    #: The server has nothing against what was meant as a mistake.
    ACCEPTED = "accepted"
    #: One of this package's errors: the server can't do this, and says so.
    TYPED_ERROR = "typed error"
    #: The server says that it has done something, and has not.
    SERVER_WRONG = "server wrong"
    #: Any other exception, or a value that can't be.
    WRONG = "wrong"
    HUNG = "hung"
    #: An error of an official client; whose doing it is, is not asked.
    FAILED = "failed"
    #: Needs what a step before it did not get.
    LEFT_OUT = "left out"

    @property
    def good(self) -> bool:
        """Whether this client did all that can be done on such a server."""
        return self not in (Ending.WRONG, Ending.HUNG)


@frozen
class Outcome:
    """One step's ending, the error or remark that tells more, and seconds."""

    name: str
    ending: Ending
    words: str
    seconds: float
