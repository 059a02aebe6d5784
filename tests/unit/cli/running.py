"""Running commands on a service of fakes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from tinker_ext.cli.main import program

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeService

#: In a process of its own: a server sets up logging and the threads of the array library.
SERVE = (sys.executable, "-m", "tinker_ext.cli", "serve")
#: Of the checkpoint that the fakes have.
PATH = "tinker://run-1/weights/0001"


def run(service: FakeService, *args: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(program, args, obj=service.context(), input=answer)


def as_json(result: Result) -> Any:
    """What a command printed for programs."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
