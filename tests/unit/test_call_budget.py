"""The number of function calls per sample and per training step stays within the recorded budget.

`python benchmarks/call_count.py --record` records the counts of a change that lowers them, or of
one that has a reason to raise them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUDGETS = json.loads((ROOT / "tests" / "call_budget.json").read_text(encoding="utf-8"))
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    """In a process of its own: a profiler would replace that of a coverage run or debugger."""
    completed = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "call_count.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    result: dict[str, dict[str, int]] = json.loads(completed.stdout.splitlines()[-1])
    return result


@pytest.mark.skipif(VERSION not in BUDGETS, reason=f"no counts are recorded for Python {VERSION}")
@pytest.mark.parametrize("unit", ["calls", "files"])
@pytest.mark.parametrize(
    "operation",
    ["sample", "forward_backward", "sample, network", "forward_backward, network"],
)
def test_call_count_is_within_budget(
    counts: dict[str, dict[str, int]], operation: str, unit: str
) -> None:
    budget = BUDGETS[VERSION][operation][unit]
    assert counts[operation][unit] <= budget, (
        f"{operation}: {counts[operation][unit]} {unit}, recorded are {budget}; see the calls with "
        "`python benchmarks/call_count.py --profile`"
    )
