"""The sample of user code passes strict type checking, and its marked mistakes are errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("sample.py")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Runs mypy on a file with the project's settings and cache; returns its output."""
    monkeypatch.chdir(ROOT)

    def run(path: Path) -> str:
        output, errors, _ = api.run(["--no-error-summary", str(path)])
        return output + errors

    return run


@pytest.mark.slow
def test_sample_passes_type_check(check: Callable[[Path], str]) -> None:
    assert check(SAMPLE) == ""


@pytest.mark.slow
def test_type_check_reports_wrong_argument(check: Callable[[Path], str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from tinker_ext import types\ntypes.AdamParams(beta1='x')\n")
    assert "arg-type" in check(wrong)
