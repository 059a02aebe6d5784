"""Fast enough to work with, on one core."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    probe = Path(__file__).with_name("speed_probe.py")
    run = subprocess.run([sys.executable, probe], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(run.stdout)
    return result


def test_a_step_of_eight_by_sixty_four_tokens(seconds: dict[str, float]) -> None:
    assert seconds["step"] < 0.5


def test_four_hundred_samples_of_thirty_two_tokens(seconds: dict[str, float]) -> None:
    assert seconds["sampling"] < 5.0
