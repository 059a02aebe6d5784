"""Runs a driver: a program for the client in an environment, against a server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import frozen

from conformance.interop.environments import python_of, variables

DRIVERS = Path(__file__).parent / "drivers"

# A driver takes a few seconds; after this time it counts as hanging even on a busy machine.
RUN_SECONDS = 100.0

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

# The SDKs from 0.25 on reject a key with another prefix.
KEY = "tml-interop"


@frozen
class Step:
    """The outcome of one step of a driver: its value, or its error."""

    name: str
    value: Any
    error: str | None
    seconds: float


@frozen
class Run:
    """The steps of a driver in order, and its standard error."""

    steps: Mapping[str, Step]
    stderr: str

    @property
    def failures(self) -> dict[str, str]:
        return {step.name: step.error for step in self.steps.values() if step.error is not None}


def run_program(
    release: str | None,
    program: str,
    url: str,
    settings: Mapping[str, str] = NO_SETTINGS,
    limit: float = RUN_SECONDS,
) -> Run:
    """Run a program of the scenario against the server at `url`.

    The client is `tinker==release` in its environment, or this project's if `release` is None.
    """
    package = "tinker_ext" if release is None else "tinker"
    python = Path(sys.executable) if release is None else python_of(release)
    selection = {"DRIVER_PACKAGE": package, "DRIVER_PROGRAM": program}
    return run_driver(python, "scenario", url, {**selection, **settings}, limit)


def run_driver(
    python: Path, driver: str, url: str, settings: Mapping[str, str], limit: float = RUN_SECONDS
) -> Run:
    """Run a script of `drivers`, which prints one line of JSON per step.

    A driver that takes longer than `limit` seconds is killed, and counts as a failed last step.
    """
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
