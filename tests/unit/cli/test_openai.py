"""`openai`: its start, its stop by Ctrl-C, its checks; and the same endpoint of `serve`."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.builders import announce
from tests.unit.cli.running import SERVE
from tests.waiting import comes_true
from tinker_ext.cli.commands import serve as command
from tinker_ext.cli.error_reporting import INTERRUPTED
from tinker_ext.cli.main import program
from tinker_ext.install_hints import install_hint
from tinker_ext.testing import FaultServer, Reply

OPENAI = (sys.executable, "-m", "tinker_ext", "openai", "--port", "0")


@contextmanager
def running(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command; yields the process and its URL, and stops it after the block."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server, json.loads(server.stdout.readline())["url"]
        finally:
            if server.poll() is None:
                server.kill()


def complete(url: str, model: str = "embedded/tiny", **headers: str) -> tuple[int, Any]:
    """Request a completion; returns the status code and the body."""
    body = {"model": model, "prompt": "the quick", "max_tokens": 3}
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{url}/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **renamed},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_openai_command_prints_base_url_and_stops_at_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        with running(*OPENAI) as (process, url):
            assert url.endswith("/oai/api/v1")
            status, body = complete(url, Authorization="Bearer tml-caller")
            assert (status, body["object"]) == (200, "text_completion")
            assert complete(url)[0] == 401
            status, body = complete(url, Authorization="Bearer tml-caller", Host="evil.example")
            assert (status, body["error"]["type"]) == (421, "invalid_request_error")
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
        assert server.calls("asample")[0].headers["x-api-key"] == "tml-caller"
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in stderr


def test_unknown_path_names_the_operations() -> None:
    with running(*OPENAI) as (_, url):
        status, body = complete(url.removesuffix("/oai/api/v1"), Authorization="Bearer tml-any")
    assert status == 404
    assert body["error"]["type"] == "invalid_request_error"
    assert "POST /completions is not an operation of this endpoint" in body["error"]["message"]
    assert "Its base URL ends in /oai/api/v1" in body["error"]["message"]


def test_key_file_replaces_keys_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("local-key\n")
    file.chmod(0o600)
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        monkeypatch.setenv("TINKER_API_KEY", "tml-configured")
        with running(*OPENAI, "--key-file", str(file)) as (_, url):
            assert complete(url, Authorization="Bearer tml-configured")[0] == 401
            assert complete(url, Authorization="Bearer local-key")[0] == 200
        assert {call.headers["x-api-key"] for call in server.received} == {"tml-configured"}


def test_key_file_requires_configured_credentials(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("local-key\n")
    result = CliRunner().invoke(
        program, ["--base-url", "http://127.0.0.1:9", "openai", "--key-file", str(file)]
    )
    assert result.exit_code == 1
    assert "TINKER_API_KEY" in result.stderr


def test_address_reachable_by_other_machines_requires_key() -> None:
    result = CliRunner().invoke(program, ["openai", "--host", "0.0.0.0"])
    assert result.exit_code == 1
    assert "pass --key-file FILE or set TINKER_EXT_SERVE_KEY" in result.stderr


def test_missing_package_error_names_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OPENAI_NEEDED", ("no_such_package",))
    result = CliRunner().invoke(program, ["openai"])
    assert result.exit_code == 1
    expected = f"Error: The endpoint needs no_such_package: {install_hint('openai')}\n"
    assert result.stderr == expected


def test_serve_has_the_endpoint_with_its_own_checks(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tml-from-a-file\n")
    file.chmod(0o600)
    serve = [*SERVE, "--port", "0", "--state-dir", str(tmp_path / "state")]
    with running(*serve, "--key-file", str(file)) as (process, url):
        address = f"{url}/oai/api/v1"
        status, body = complete(address, Authorization="Bearer tml-from-a-file")
        assert (status, body["usage"]["completion_tokens"]) == (200, 3)
        wrong = complete(address, Authorization="Bearer tml-other")
        assert (wrong[0], wrong[1]["error"]["code"]) == (401, "invalid_api_key")
        key = "Bearer tml-from-a-file"
        assert complete(address, model="no/such", Authorization=key)[0] == 404
        assert complete(address, Authorization=key, Origin="https://evil.example")[0] == 403
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in stderr


def test_closed_connection_cancels_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Reply(
        200, {"type": "try_again", "request_id": "x", "queue_state": "active"}, delay=0.05
    )
    with FaultServer() as server:
        announce(server, dynamic={"sample_cancel_enabled": True})
        server.respond_always("retrieve_future", waiting)
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        with running(*OPENAI) as (_, url):
            host, _, path = url.removeprefix("http://").partition("/")
            connection = http.client.HTTPConnection(host)
            body = json.dumps({"model": "embedded/tiny", "prompt": "a"})
            headers = {"Content-Type": "application/json", "Authorization": "Bearer tml-caller"}
            connection.request("POST", f"/{path}/completions", body, headers)
            assert comes_true(lambda: len(server.calls("retrieve_future")) > 1, within=60)
            connection.close()
            assert comes_true(lambda: len(server.calls("cancel_future")) == 1, within=60)
