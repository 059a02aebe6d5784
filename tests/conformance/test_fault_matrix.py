"""Every operation under every fault comes to what docs/faults.md says."""

from __future__ import annotations

import pytest
from faultmatrix.cells import run_row
from faultmatrix.operations import OPERATIONS, Operation
from faultmatrix.table import DOCUMENT, document


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_operation(operation: Operation) -> None:
    assert run_row(operation, workers=6) == {}


def test_the_committed_table_is_the_one_that_was_run() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run scripts/fault_matrix.py"
