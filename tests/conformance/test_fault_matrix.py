"""Every operation under every fault has the outcome that docs/faults.md states."""

from __future__ import annotations

import pytest

from conformance.faultmatrix.operation import OperationUnderTest
from conformance.faultmatrix.operations import OPERATIONS
from conformance.faultmatrix.processes import run_all
from conformance.faultmatrix.runner import CellResult, run_operations
from conformance.faultmatrix.table import DOCUMENT, document


@pytest.fixture(scope="module")
def unexpected() -> dict[str, dict[str, CellResult]]:
    """The unexpected results by operation; all cells run at the same time."""
    return run_all()


@pytest.mark.timeout(600)  # The first test runs the cells of all operations.
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_has_expected_outcome_under_every_fault(
    operation: OperationUnderTest, unexpected: dict[str, dict[str, CellResult]]
) -> None:
    assert unexpected[operation.name] == {}


#: Faults whose outcome depends on the transport.
TRANSPORT_FAULTS = frozenset(
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
#: One operation of each group, except heartbeats, which take real time.
SAMPLE_OPERATIONS = ("get_training_run", "asample", "result of asample")


def test_outcomes_are_the_same_with_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this variable, `python scripts/fault_matrix.py --run` runs all cells over aiohttp."""
    monkeypatch.setenv("TINKER_EXT_HTTP_TRANSPORT", "aiohttp")
    operations = [operation for operation in OPERATIONS if operation.name in SAMPLE_OPERATIONS]
    unexpected = run_operations(operations, 6, TRANSPORT_FAULTS)
    assert unexpected == {name: {} for name in SAMPLE_OPERATIONS}


def test_tables_of_docs_are_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
