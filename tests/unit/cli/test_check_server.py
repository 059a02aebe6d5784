"""`tinker-ext check-server` on an embedded server, and on one that does not respond."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tinker_ext.cli.commands import check_server
from tinker_ext.cli.main import program
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.server_check import ALL
from tinker_ext.server_check.runner import Capability, Steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tinker_ext.server_check.runner import State

KEY = "tml-secret-key-of-this-test"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("embedded")
    with start_embedded(folder) as server:
        yield server.url


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    return CliRunner()


@pytest.mark.slow
def test_check_reports_every_step_of_a_complete_server(runner: CliRunner, url: str) -> None:
    result = runner.invoke(program, ["check-server", url, "-v", "-f", "json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    endings = {step["ending"] for step in record["steps"]}
    assert endings <= {"ok", "accepted"}
    assert len(record["steps"]) == len(ALL)
    assert record["capabilities"] == dict.fromkeys(Capability, "yes")
    assert record["protocol"].startswith("release 0.38.0")
    assert (record["missing"], record["problems"], record["compatible"]) == ([], "", True)
    assert f"{len(ALL)}/{len(ALL)} delete state: ok" in result.stderr
    assert KEY not in result.stdout + result.stderr


def test_unreachable_server_fails_at_once_with_one_line(runner: CliRunner) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    result = runner.invoke(program, ["check-server", url])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: get_server_capabilities: ConnectError")


def test_headers_are_sent_and_contain_the_key(
    runner: CliRunner, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, sent = Steps(), []

    @steps(Capability.CONNECTS)
    def capabilities(state: State) -> None:
        sent.append(dict(state.server.settings["default_headers"]))
        state.service.get_server_capabilities()

    monkeypatch.setattr(check_server, "ALL", steps)
    headers = ("--header", "Authorization: Bearer {key}", "--header", "X-Request-Id: 7")
    result = runner.invoke(program, ["check-server", url, *headers])
    assert result.exit_code == 0, result.output
    assert sent == [{"Authorization": f"Bearer {KEY}", "X-Request-Id": "7"}]
    assert KEY not in result.output


@pytest.mark.parametrize("header", ["Authorization", ": value"])
def test_header_without_a_name_or_a_value_is_a_usage_error(runner: CliRunner, header: str) -> None:
    result = runner.invoke(program, ["check-server", "http://127.0.0.1:9", "--header", header])
    assert result.exit_code == 2
    assert "expected 'NAME: VALUE'" in result.stderr


def test_step_that_hangs_sets_the_exit_status(
    runner: CliRunner, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    steps = Steps()

    @steps(Capability.TRAINS)
    def train(_: State) -> None:
        released.wait(60)

    monkeypatch.setattr(check_server, "ALL", steps)
    result = runner.invoke(program, ["check-server", url, "--timeout", "0.05"])
    released.set()
    assert result.exit_code == 1
    assert "Failed steps: no end after 0.05 s: train" in result.stdout
    assert result.stderr == "Error: the check found problems, see above\n"
    assert KEY not in result.stdout
