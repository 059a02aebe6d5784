"""The capabilities of a server and the failed steps, in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tinker_ext.server_check.outcomes import (
    NO_SUCH_OPERATION,
    Capability,
    Ending,
    Outcome,
)

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
