"""Programs written for the official SDK run unchanged, with one command.

The programs make the calls of two public scripts, a supervised and a reinforcement learning one.
They run with the official SDK as well: `python tests/unit/as_tinker/programs/group_rl.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).with_name("programs")
SECONDS = 100.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with start_embedded() as server:
        yield server.url


def run(program: str, url: str, *arguments: str) -> Any:
    """The report that a program prints."""
    process = subprocess.run(
        [sys.executable, "-m", "tinker_ext.as_tinker", str(PROGRAMS / program), *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "TINKER_BASE_URL": url, "TINKER_API_KEY": "tml-any"},
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_supervised_script_trains_resumes_and_samples(url: str) -> None:
    report = run("supervised_loop.py", url, "run-1")
    losses = report["losses"]
    assert len(losses) == 5
    assert losses[-1] < losses[0]
    assert report["texts"][0] == report["texts"][1]
    assert report["status"] in (400, 404, "user")
    assert report["session"] is True


def test_reinforcement_learning_script_runs_its_steps(url: str) -> None:
    report = run("group_rl.py", url)
    assert len(report["rewards"]) == len(report["losses"]) == 2
    assert all(0 < reward <= 1 for reward in report["rewards"])
    assert report["future"] == "ready"
    assert report["loop"] is True
    assert report["schema"] == ["group_size", "loss_fn", "optimizer", "sampling"]
    assert report["dump"] == 0.01
