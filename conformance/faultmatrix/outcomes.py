"""The outcomes of a cell, except errors, which are named by their class."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

#: The right result, after one attempt.
VALUE = "value"
#: The right result, after several attempts.
RETRIED = "value after retries"
#: The right result, without the optional feature whose request failed.
DEGRADED = "degraded value"


@frozen
class Degraded:
    """A result obtained without the optional feature that its call would have used."""

    value: Any


@frozen
class Expectation:
    """The expected outcomes of an operation, by the kind of fault.

    Attributes:
        transient: the outcome of faults that pass.
        permanent: the outcome of faults that stay; None: the error of a synchronous operation.
        exceptions: the outcomes of single cases, by name.
    """

    transient: str
    permanent: str | None = None
    exceptions: dict[str, str] = field(factory=dict)
