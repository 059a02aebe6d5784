"""Every operation under every fault comes to what docs/faults.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.faultmatrix.operations import OPERATIONS
from conformance.faultmatrix.processes import run_all
from conformance.faultmatrix.runner import run_operations
from conformance.faultmatrix.table import DOCUMENT, document

if TYPE_CHECKING:
    from conformance.faultmatrix.operation import OperationUnderTest
    from conformance.faultmatrix.runner import CellResult


@pytest.fixture(scope="module")
def different() -> dict[str, dict[str, CellResult]]:
    """By operation, the cells that came to something else; run all at once, for time's sake."""
    return run_all()


@pytest.mark.timeout(600)  # the first of them runs the cells of all
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_operation(
    operation: OperationUnderTest, different: dict[str, dict[str, CellResult]]
) -> None:
    assert different[operation.name] == {}


#: What a transport has a part in.
ON_THE_WIRE = frozenset(
    {
        "connection closed before processing",
        "connection closed before the response",
        "connection closed in the body",
        "connection reset in the body",
        "response is not HTTP",
        "connections refused temporarily",
        "no response",
        "endless body",
        "seven faults in a row",
        "body in small pieces",
        "more outputs than requested",
        "null tokens, wrong shapes",
        "TLS alert",
        "non-ASCII headers",
        "extra response",
        "redirect",
        "connection always closed before the response",
        "connections always refused",
        "2 MB body, limit 1 MB",
        "gzip bomb",
    }
)
#: One of each group but that of what waits for a second heartbeat.
SOME = ("get_training_run", "asample", "result of asample")


def test_another_transport_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this variable `python scripts/fault_matrix.py --run` runs all cells so."""
    monkeypatch.setenv("TINKER_EXT_HTTP_TRANSPORT", "aiohttp")
    rows = [one for one in OPERATIONS if one.name in SOME]
    assert run_operations(rows, 6, ON_THE_WIRE) == {name: {} for name in SOME}


def test_the_committed_table_is_the_one_that_was_run() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
