"""The capabilities of a server, the outcome of a step that checks one, and their summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


#: Endings of a step that works. A server may accept what this client considers a mistake.
_WORKING = (Ending.OK, Ending.ACCEPTED)


def grade(outcomes: Iterable[Outcome]) -> str:
    """Returns "yes" if all of the steps work, "no" if none does, else the numbers: "3 of 5"."""
    working = [outcome.ending in _WORKING for outcome in outcomes]
    if all(working):
        return "yes" if working else "-"
    return f"{sum(working)} of {len(working)}" if any(working) else "no"


def by_capability(
    outcomes: Iterable[Outcome], capabilities: Mapping[str, Capability]
) -> dict[Capability, list[Outcome]]:
    """The outcomes of each capability, in the order of the steps."""
    groups: dict[Capability, list[Outcome]] = {capability: [] for capability in Capability}
    for outcome in outcomes:
        groups[capabilities[outcome.name]].append(outcome)
    return groups


def problems(outcomes: Sequence[Outcome]) -> str:
    """The steps that do not work, by reason: "no such operation: publish, unpublish; ...".

    Steps that depend on one of them are omitted.
    """
    by_reason: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.ending not in (*_WORKING, Ending.LEFT_OUT):
            by_reason.setdefault(outcome.reason, []).append(outcome.title)
    return "; ".join(f"{reason}: {', '.join(names)}" for reason, names in by_reason.items())


def is_compatible(outcomes: Iterable[Outcome]) -> bool:
    """Returns True if every step works, is left out, or is an operation that the server lacks."""
    return all(
        outcome.ending in (*_WORKING, Ending.LEFT_OUT) or outcome.reason == NO_SUCH_OPERATION
        for outcome in outcomes
    )


def missing_operations(outcomes: Iterable[Outcome]) -> list[str]:
    """The steps whose operation the server does not have."""
    return [outcome.title for outcome in outcomes if outcome.reason == NO_SUCH_OPERATION]
