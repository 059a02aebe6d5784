"""Narrow terminals, columns, errors as JSON, completion and other ways to start the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.unit.cli.fakes import FakeRest, FakeService, make_checkpoint, make_run
from tests.unit.cli.running import PATH, run
from tinker_ext.cli import output
from tinker_ext.cli.main import program
from tinker_ext.errors import NotFoundError
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = "ee5aa0ac-06a5-45f2-8c3d-e4005cc0a272:train:0"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the width of the terminal."""

    def set_width(width: int) -> None:
        monkeypatch.setattr(output, "_wide_console", lambda: Console(width=width))

    return set_width


def test_path_in_narrow_terminal_is_one_unbroken_line(terminal: Callable[[int], None]) -> None:
    terminal(80)
    path = f"tinker://{RUN}/sampler_weights/{'x' * 60}"
    item = make_checkpoint(tinker_path=path, checkpoint_id="sampler_weights/x")
    result = run(FakeService(FakeRest(checkpoints=[item])), "checkpoint", "list")
    lines = result.stdout.splitlines()
    assert lines[0] == "1 checkpoint"
    assert lines[1] == path
    assert lines[2].startswith("  checkpoint id sampler_weights/x, type training, size 1.5 MB")
    assert len(lines) == 3


def test_list_that_fits_is_a_table(terminal: Callable[[int], None]) -> None:
    terminal(200)
    result = run(FakeService(FakeRest(checkpoints=[make_checkpoint()])), "checkpoint", "list")
    assert "┃ Checkpoint ID" in result.stdout
    assert PATH in result.stdout


def test_run_list_shows_requested_columns() -> None:
    item = make_run(RUN, last_checkpoint=make_checkpoint(RUN), corrupted=True)
    service = FakeService(FakeRest(runs=[item]))
    result = run(service, "run", "list", "--columns", "id, status,checkpoint")
    assert result.exit_code == 0, result.output
    for text in ("Run ID", "Status", "failed", f"tinker://{RUN}/weights/0001"):
        assert text in result.stdout
    assert "Base model" not in result.stdout
    unknown = run(service, "run", "list", "-c", "id,size")
    assert unknown.exit_code == 2
    assert "unknown column 'size'; choose from id, model, owner" in unknown.stderr


def error_of(result: Any) -> dict[str, Any]:
    assert result.stdout == ""
    record: dict[str, Any] = json.loads(result.stderr)["error"]
    return record


@pytest.mark.parametrize("args", [("-f", "json", "run", "info"), ("run", "info", "--format=json")])
def test_api_error_as_json_has_its_fields(args: tuple[str, ...]) -> None:
    error = NotFoundError("HTTP 404 Not Found: no such run", status_code=404)
    result = run(FakeService(FakeRest(error=error)), *args, "x")
    assert result.exit_code == 1
    record = error_of(result)
    assert (record["type"], record["status_code"]) == ("NotFoundError", 404)
    assert record["message"].startswith("HTTP 404 Not Found: no such run")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-f", "json", "run", "info", "x", "--bogus"), "No such option"),
        (("-f", "json", "bogus"), "No such command 'bogus'"),
        (("--format", "json", "--bogus"), "No such option"),
        (("-f", "json", "checkpoint", "info", "x"), "'x' is not a checkpoint path"),
    ],
)
def test_wrong_arguments_as_json(args: tuple[str, ...], message: str) -> None:
    result = run(FakeService(), *args)
    assert message in error_of(result)["message"]
    assert result.exit_code == (1 if "checkpoint path" in message else 2)


def test_version_option() -> None:
    result = CliRunner().invoke(program, ["--version"])
    assert result.stdout == f"tinker-ext {__version__}\n"


def test_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinker_ext", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"tinker-ext {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_names_the_variable_that_completes(shell: str) -> None:
    script = CliRunner().invoke(program, ["completion", shell]).stdout
    assert f"_TINKER_EXT_COMPLETE={shell}_complete" in script
    words = {"COMP_WORDS": "tinker-ext checkpoint pu", "COMP_CWORD": "2"}
    if shell == "fish":
        words["COMP_CWORD"] = "pu"
    code = "from tinker_ext.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **words, "_TINKER_EXT_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "publish" in done.stdout
    assert "push-hf" in done.stdout
    assert "delete" not in done.stdout
