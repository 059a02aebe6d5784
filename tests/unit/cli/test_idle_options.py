"""An option that would have no effect is refused before anything is done."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.unit.cli.fakes import FakeService
from tests.unit.cli.running import SERVE, run
from tinker_ext.cli.main import program

if TYPE_CHECKING:
    from pathlib import Path

USAGE = 2


@pytest.mark.parametrize("life", ["60", "3600"])
def test_the_life_of_tokens_that_are_not_wanted(tmp_path: Path, life: str) -> None:
    folder = tmp_path / "none"
    chosen = ["serve", "--port", "0", "--state-dir", str(folder), "--jwt-life", life]
    result = CliRunner().invoke(program, chosen)
    assert result.exit_code == USAGE
    assert "--jwt-life is for the tokens of --jwt, which is not there" in result.stderr
    assert not folder.exists()


def test_the_life_of_tokens_is_still_told_in_the_help() -> None:
    assert "3600" in CliRunner().invoke(program, ["serve", "--help"]).stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--flag", "a=1", "--flag", "b=2", "--flag", "a=3"], "--flag: a is given twice"),
        (["--jwt", "--flag", "pjwt_auth_enabled=false"], "can't send pjwt_auth_enabled=false"),
    ],
    ids=["twice", "against another"],
)
def test_a_flag_that_another_option_overrides(
    tmp_path: Path, options: list[str], said: str
) -> None:
    chosen = ["--port", "0", "--state-dir", str(tmp_path), *options]
    ended = subprocess.run([*SERVE, *chosen], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert said in ended.stderr


@pytest.mark.parametrize("options", [["-o", "x"], ["--force"]], ids=["--output", "--force"])
def test_how_to_save_what_is_not_saved(options: list[str]) -> None:
    service = FakeService()
    result = run(service, "session", "export-trace", "s", "--url-only", *options)
    assert result.exit_code == USAGE
    assert "--url-only saves nothing" in result.stderr
    assert service.opened_with == []


@pytest.mark.parametrize(
    "command", [["serve"], ["trace", "summary", "run.jsonl"], ["version"]], ids=lambda one: one[0]
)
def test_the_server_of_a_command_that_asks_none(command: list[str]) -> None:
    result = CliRunner().invoke(program, ["--base-url", "http://127.0.0.1:9", *command])
    assert result.exit_code == USAGE
    assert f"--base-url: `{command[0]}` asks no server" in result.stderr


def test_a_setting_of_the_environment_is_none_of_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:9")
    assert CliRunner().invoke(program, ["version"]).exit_code == 0
