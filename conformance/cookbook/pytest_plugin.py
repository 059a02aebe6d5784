"""A pytest plugin for the environment of the cookbook: selects tests, and records those that pass.

COOKBOOK_TESTS names a file with the ids of the tests to run; without it, all are run. The ids of
the tests that pass are appended to the file COOKBOOK_PASSED.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are not listed."""
    if "COOKBOOK_TESTS" not in os.environ:
        return
    listed = set(Path(os.environ["COOKBOOK_TESTS"]).read_text(encoding="utf-8").splitlines())
    deselected = [item for item in items if item.nodeid not in listed]
    items[:] = [item for item in items if item.nodeid in listed]
    config.hook.pytest_deselected(items=deselected)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record a test that passes."""
    if report.when == "call" and report.passed:
        with Path(os.environ["COOKBOOK_PASSED"]).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")
