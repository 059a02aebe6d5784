"""The outcome of every operation under every fault matches docs/faults.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faultmatrix.cells import run_rows
from faultmatrix.operations import OPERATIONS
from faultmatrix.processes import run_all
from faultmatrix.table import DOCUMENT, document

if TYPE_CHECKING:
    from faultmatrix.cells import Seen
    from faultmatrix.operation import Operation


@pytest.fixture(scope="module")
def different() -> dict[str, dict[str, Seen]]:
    """By operation, the cells with another outcome; all cells run in parallel to save time."""
    return run_all()


@pytest.mark.timeout(600)  # the first test runs the cells of all operations
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation(operation: Operation, different: dict[str, dict[str, Seen]]) -> None:
    assert different[operation.name] == {}


#: Faults whose handling depends on the transport.
ON_THE_WIRE = frozenset(
    {"request lost", "answer lost", "half of the body", "reset in the middle", "no HTTP at all"}
    | {"refused, then back", "silence", "a body without end", "a storm of everything", "a trickle"}
    | {"more than was asked for", "null tokens, wrong shapes"}
    | {"a TLS alert", "non-ASCII headers", "a surplus response"}
    | {"a redirect", "answers lost always", "refused always", "2 MB, 1 MB allowed", "a gzip bomb"}
)
#: One operation of each group, except the group that waits for a second heartbeat.
SOME = ("get_training_run", "asample", "result of asample")


def test_aiohttp_transport_gives_the_same_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this variable, `python scripts/fault_matrix.py --run` runs all cells with aiohttp."""
    monkeypatch.setenv("TINKER_EXT_HTTP_TRANSPORT", "aiohttp")
    rows = [operation for operation in OPERATIONS if operation.name in SOME]
    assert run_rows(rows, 6, ON_THE_WIRE) == {name: {} for name in SOME}


def test_committed_table_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
