"""Every operation under every fault comes to what docs/faults.md says."""

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
    """By operation, the cells that came to something else; run all at once, for time's sake."""
    return run_all()


@pytest.mark.timeout(600)  # the first of them runs the cells of all
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_operation(operation: Operation, different: dict[str, dict[str, Seen]]) -> None:
    assert different[operation.name] == {}


#: What a transport has a part in.
ON_THE_WIRE = frozenset(
    {"request lost", "answer lost", "half of the body", "reset in the middle", "no HTTP at all"}
    | {"refused, then back", "silence", "a body without end", "a storm of everything", "a trickle"}
    | {"more than was asked for", "null tokens, wrong shapes"}
    | {"a TLS alert", "non-ASCII headers", "a surplus response"}
    | {"a redirect", "answers lost always", "refused always", "2 MB, 1 MB allowed", "a gzip bomb"}
)
#: One of each group but that of what waits for a second heartbeat.
SOME = ("get_training_run", "asample", "result of asample")


def test_another_transport_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this variable `python scripts/fault_matrix.py --run` runs all cells so."""
    monkeypatch.setenv("TINKER_EXT_HTTP_TRANSPORT", "aiohttp")
    rows = [operation for operation in OPERATIONS if operation.name in SOME]
    assert run_rows(rows, 6, ON_THE_WIRE) == {name: {} for name in SOME}


def test_the_committed_table_is_the_one_that_was_run() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
