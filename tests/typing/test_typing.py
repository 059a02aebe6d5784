"""The sample of user code type-checks strictly, and its planted mistakes are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mypy import api

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("sample.py")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """What mypy says of a file, with the project's own settings and cache."""
    monkeypatch.chdir(ROOT)

    def run(path: Path) -> str:
        result, complaints, _ = api.run(["--no-error-summary", str(path)])
        return result + complaints

    return run


@pytest.mark.slow
def test_the_sample_type_checks(check: Callable[[Path], str]) -> None:
    assert check(SAMPLE) == ""


@pytest.mark.slow
def test_a_mistake_would_be_noticed(check: Callable[[Path], str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from tinker_ext import types\ntypes.AdamParams(beta1='x')\n")
    assert "arg-type" in check(wrong)
