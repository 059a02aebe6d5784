"""Options without an effect are rejected before anything else happens."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.cli.fakes import FakeService
from tests.unit.cli.running import SERVE, run
from tinker_ext.cli.main import program

USAGE_ERROR = 2


@pytest.mark.parametrize("lifetime", ["60", "3600"])
def test_jwt_lifetime_without_jwt_is_rejected(tmp_path: Path, lifetime: str) -> None:
    folder = tmp_path / "none"
    options = ["--port", "0", "--state-dir", str(folder), "--jwt-lifetime", lifetime]
    result = CliRunner().invoke(program, ["serve", *options])
    assert result.exit_code == USAGE_ERROR
    assert "--jwt-lifetime requires --jwt." in result.stderr
    assert not folder.exists()


def test_default_jwt_lifetime_is_in_help() -> None:
    assert "3600" in CliRunner().invoke(program, ["serve", "--help"]).stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--flag", "a=1", "--flag", "b=2", "--flag", "a=3"], "--flag: a is given twice"),
        (["--jwt", "--flag", "pjwt_auth_enabled=false"], "can't send pjwt_auth_enabled=false"),
    ],
    ids=["repeated", "conflicting"],
)
def test_flag_that_conflicts_with_another_option_is_rejected(
    tmp_path: Path, options: list[str], expected: str
) -> None:
    command = [*SERVE, "--port", "0", "--state-dir", str(tmp_path), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert expected in result.stderr


@pytest.mark.parametrize("options", [["-o", "x"], ["--force"]], ids=["--output", "--force"])
def test_url_only_with_option_for_file_is_rejected(options: list[str]) -> None:
    service = FakeService()
    result = run(service, "session", "export-trace", "s", "--url-only", *options)
    assert result.exit_code == USAGE_ERROR
    assert "--url-only saves no file" in result.stderr
    assert service.opened_with == []


@pytest.mark.parametrize(
    "command",
    [["serve"], ["trace", "summary", "run.jsonl"], ["version"]],
    ids=lambda command: command[0],
)
def test_base_url_of_local_command_is_rejected(command: list[str]) -> None:
    result = CliRunner().invoke(program, ["--base-url", "http://127.0.0.1:9", *command])
    assert result.exit_code == USAGE_ERROR
    assert f"`{command[0]}` doesn't take --base-url; leave it out." in result.stderr


def test_base_url_of_environment_is_accepted_by_local_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:9")
    assert CliRunner().invoke(program, ["version"]).exit_code == 0
