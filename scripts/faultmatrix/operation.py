"""What a row is: a call, and which request of it the fault hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from tinker_ext.testing import FaultServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultmatrix.outcomes import Ends
    from faultmatrix.scene import Scene

Group = Literal["call", "submission", "result", "background", "later"]
#: Those of one table, which has a column for each.
GROUPS: dict[Group, str] = {
    "call": "answered at once",
    "submission": "submitting work",
    "result": "fetching its result",
    "background": "sent by itself, once",
}
#: That of another table, which has a column for each operation.
LATER: Group = "later"


@frozen
class Operation:
    """A row: what the user calls, and which request of it the fault hits.

    Attributes:
        sends: how many requests to `endpoint` a call makes where nothing goes wrong.
        hit: which of them the fault hits first, from 0.
        counts: how many requests of a call the server counts.
        server: makes the server that is called.
        ends: what is to come of it where its group does not say.
    """

    name: str
    group: Group
    endpoint: str
    prepare: Callable[[Scene], Any]
    run: Callable[[Any], Any]
    sends: int = 1
    hit: int = 0
    counts: int = 1
    server: Callable[[], FaultServer] = FaultServer
    ends: Ends | None = None
