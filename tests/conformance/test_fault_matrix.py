"""Every operation under every fault comes to what docs/faults.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
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


def test_the_committed_table_is_the_one_that_was_run() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
