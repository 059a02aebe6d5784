"""One run of a driver: an official SDK in its environment, spoken to a recorded server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from interop.environments import python_of, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVERS = Path(__file__).parent / "drivers"

# A driver takes a few seconds; a busy machine is given the time that shows a hang.
RUN_SECONDS = 100.0

# The SDKs from 0.25 on refuse a key with another beginning.
KEY = "tml-interop"


@frozen
class Step:
    """What one step of a driver came to: its value, or the error it ended with."""

    name: str
    value: Any
    error: str | None
    seconds: float


@frozen
class Run:
    """A driver's steps in their order, and what it wrote to standard error."""

    steps: Mapping[str, Step]
    stderr: str

    @property
    def failures(self) -> dict[str, str]:
        return {step.name: step.error for step in self.steps.values() if step.error is not None}


def drive(release: str, driver: str, url: str, **settings: str) -> Run:
    """Run a program of `drivers` with `tinker==release` against the server at `url`.

    A driver prints one line of JSON a step. What hangs is ended, and counts as a failed last step.
    """
    return drive_by(python_of(release), driver, url, settings)


def drive_by(
    python: Path, driver: str, url: str, settings: Mapping[str, str], limit: float = RUN_SECONDS
) -> Run:
    """The same with whatever client the interpreter has, for `limit` seconds at most."""
    command = [str(python), "-u", str(DRIVERS / f"{driver}.py")]
    environment = variables(TINKER_BASE_URL=url, TINKER_API_KEY=KEY, **settings)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ending = None
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        ending = f"hung: ended after {limit:g} s"
    if ending is None and process.returncode != 0:
        ending = f"exit status {process.returncode}: {stderr[-1000:]}"
    steps = [Step(**json.loads(line)) for line in stdout.splitlines() if line.startswith("{")]
    if ending is not None:
        steps.append(Step("ending", None, ending, 0.0))
    return Run({step.name: step for step in steps}, stderr)
