"""An operation under test: a call, and the request of it that the fault hits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from attrs import frozen

from conformance.faultmatrix.environment import Environment
from conformance.faultmatrix.outcomes import Expectation
from tinker_ext.testing import FaultServer

Group = Literal["synchronous", "submission", "result", "background", "late_protocol"]
#: The groups of the first table, which has a column for each.
GROUPS: dict[Group, str] = {
    "synchronous": "synchronous operation",
    "submission": "submission",
    "result": "poll for a result",
    "background": "background request",
}
#: The group of the second table, which has a column for each operation.
LATE_PROTOCOL: Group = "late_protocol"


@frozen
class OperationUnderTest:
    """A call of the user, and the request of it that the fault hits.

    Attributes:
        max_requests: the number of requests to `endpoint` that one call sends without a fault.
        first_hit: the index of the first of them that the fault hits.
        counted: the number of requests of one call that the server counts as new work.
        server: creates the server.
        expectation: the expected outcomes, if they are not those of the group.
    """

    name: str
    group: Group
    endpoint: str
    prepare: Callable[[Environment], Any]
    run: Callable[[Any], Any]
    max_requests: int = 1
    first_hit: int = 0
    counted: int = 1
    server: Callable[[], FaultServer] = FaultServer
    expectation: Expectation | None = None
