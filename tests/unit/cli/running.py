"""Runs commands with a fake service."""

from __future__ import annotations

import json
import sys
from typing import Any

from click.testing import CliRunner, Result

from tests.unit.cli.fakes import FakeService
from tinker_ext.cli.main import program

#: Runs in a subprocess, because the server configures logging and the threads of the array library.
SERVE = (sys.executable, "-m", "tinker_ext", "serve")
#: Path of the default fake checkpoint.
PATH = "tinker://run-1/weights/0001"


def run(service: FakeService, *args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(program, args, obj=service.context(), input=stdin)


def as_json(result: Result) -> Any:
    """The parsed JSON output of a command."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
