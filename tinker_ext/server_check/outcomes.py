"""The capabilities of a server, and the outcome of a step that checks one."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

#: The reason of a step whose operation the server does not have.
NO_SUCH_OPERATION = "no such operation"


class Capability(StrEnum):
    """What a step checks, in the order of the report."""

    CONNECTS = "connects"
    TRAINS = "trains"
    SAMPLES = "samples"
    RESUMES = "saves and resumes"
    LISTS = "lists"
    PUBLISHES = "publishes and deletes"
    MISTAKES = "rejects mistakes"


class Ending(StrEnum):
    """The kind of outcome."""

    OK = "ok"
    #: The server accepted a deliberate mistake.
    ACCEPTED = "accepted"
    #: One of this package's errors.
    TYPED_ERROR = "typed error"
    #: The server reported success without doing the work, or with a response that does not fit.
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
    """The ending of one step, an error message or remark, and the duration in seconds.

    `reason` says in a few words why a step is not ok: `NO_SUCH_OPERATION`, "HTTP 500".
    """

    name: str
    ending: Ending
    detail: str
    seconds: float
    reason: str = ""

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")
