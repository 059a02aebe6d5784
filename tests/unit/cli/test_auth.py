"""Logging in and out, and the file that holds the key."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.running import as_json
from tinker_ext.cli.main import program
from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.testing import FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "tml-PASTED0123456789"
OTHER = "tml-OTHER0123456789"
DESCRIBED = {
    "key_id": 17,
    "name": "laptop",
    "note": "",
    "details": {"org_details": {"name": "Acme"}, "user_details": {"email": "me@example.org"}},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials file, in the home folder of this test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("TINKER_API_KEY", "TINKER_CREDENTIAL_CMD", "TINKER_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", Path("~/.tinker/credentials.json"))
    return tmp_path / ".tinker" / "credentials.json"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def run(server: FaultServer, *args: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(program, ["--base-url", server.url, "auth", *args], input=stdin)
    assert KEY not in result.output, "no command prints the key"
    return result


def write(file: Path, **record: Any) -> None:
    file.parent.mkdir()
    keys = {"1": {"type": "manual", "key": OTHER, "name": "old", **record}}
    file.write_text(json.dumps({"version": 1, "default": "1", "keys": keys}))


def test_login_stores_the_accepted_key_privately(server: FaultServer, file: Path) -> None:
    server.respond("get_own_api_key", Reply(200, DESCRIBED))
    result = run(server, "login", stdin=f" {KEY}\n")
    assert result.exit_code == 0, result.output
    assert "Logged in as me@example.org (Acme); stored the key laptop" in result.stdout
    assert "https://" not in result.stderr, "keys of this server are not created in the console"
    (call,) = server.calls("get_own_api_key")
    assert call.headers["x-api-key"] == KEY
    assert json.loads(file.read_text()) == {
        "version": 1,
        "default": "17",
        "keys": {
            "17": {
                "type": "manual",
                "key": KEY,
                "name": "laptop",
                "note": "",
                "details": DESCRIBED["details"],
            }
        },
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
    stored = ClientConfig.resolve().api_key
    assert stored is not None
    assert stored.reveal() == KEY


def test_login_keeps_other_keys_and_unknown_fields(server: FaultServer, file: Path) -> None:
    write(file)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "default": None, "later": {"a": 1}}))
    file.chmod(0o644)
    server.respond("get_own_api_key", Reply(200, DESCRIBED))
    assert run(server, "login", stdin=KEY).exit_code == 0
    stored = json.loads(file.read_text())
    assert (stored["default"], stored["later"]) == ("17", {"a": 1})
    assert stored["keys"]["1"]["key"] == OTHER
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_rejected_key_is_not_stored(server: FaultServer, file: Path) -> None:
    server.respond_always("get_client_config", Reply(401, {"detail": "invalid key"}))
    server.respond_always("get_own_api_key", Reply(401, {"detail": "invalid key"}))
    result = run(server, "login", stdin=KEY)
    assert result.exit_code == 1
    assert "The server rejects the key" in result.stderr
    assert not file.exists()


def test_login_to_server_that_does_not_describe_keys(server: FaultServer, file: Path) -> None:
    server.respond_always("get_own_api_key", Reply(404, {"detail": "Not Found"}))
    server.respond_always("get_server_capabilities", Reply(200, {"supported_models": []}))
    assert run(server, "login", stdin=KEY).exit_code == 0
    assert json.loads(file.read_text())["keys"]["0"]["name"] == server.url


@pytest.mark.parametrize("stdin", ["", "  \n"])
def test_empty_key_is_rejected(server: FaultServer, file: Path, stdin: str) -> None:
    result = run(server, "login", stdin=stdin)
    assert result.exit_code == 1
    assert "The key is empty" in result.stderr
    assert server.received == []


@pytest.mark.usefixtures("file")
def test_login_to_the_hosted_service_names_the_page_that_creates_keys() -> None:
    result = CliRunner().invoke(program, ["auth", "login"], input="")
    assert (
        "https://tinker.thinkingmachines.ai/keys?new_key=true&key_name=tinker-ext-" in result.stderr
    )
    assert "The key is empty" in result.stderr


def test_second_login_requires_logout(server: FaultServer, file: Path) -> None:
    write(file)
    result = run(server, "login", stdin=KEY)
    assert "already logged in" in result.stderr
    assert result.exit_code == 1


def test_logout_removes_the_default_key_only(server: FaultServer, file: Path) -> None:
    write(file)
    content = json.loads(file.read_text())
    content["keys"]["2"] = {"type": "manual", "key": KEY, "name": "second"}
    file.write_text(json.dumps(content))
    result = run(server, "logout")
    assert result.exit_code == 0, result.output
    assert "delete it at https://tinker.thinkingmachines.ai/keys/1" in result.stdout
    remaining = json.loads(file.read_text())
    assert list(remaining["keys"]) == ["2"]
    assert "default" not in remaining
    assert server.received == [], "the key stays valid on the server"
    assert run(server, "logout").exit_code == 1


def test_logout_deletes_a_generated_key_on_the_server(server: FaultServer, file: Path) -> None:
    write(file, type="generated")
    server.respond("delete_own_api_key", Reply(200, None))
    result = run(server, "logout")
    assert result.exit_code == 0, result.output
    (call,) = server.calls("delete_own_api_key")
    assert call.headers["x-api-key"] == OTHER
    assert json.loads(file.read_text())["keys"] == {}


def test_logout_removes_a_generated_key_that_the_server_keeps(
    server: FaultServer, file: Path
) -> None:
    write(file, type="generated")
    server.respond_always("delete_own_api_key", Reply(403, {"detail": "no"}))
    result = run(server, "logout")
    assert result.exit_code == 1
    assert "the server did not delete it" in result.stderr
    assert json.loads(file.read_text())["keys"] == {}


def test_status_names_the_source_of_the_key(
    server: FaultServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(server, "status", "-f", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["credentials"] is False

    write(file)
    server.respond_always("get_server_capabilities", Reply(200, {"supported_models": []}))
    assert as_json(run(server, "status", "-f", "json")) == {
        "credentials": True,
        "source": "file ~/.tinker/credentials.json",
        "base_url": server.url,
        "accessible": True,
        "error": None,
    }
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    result = run(server, "status")
    assert result.exit_code == 0
    assert "environment TINKER_API_KEY" in result.stdout


def test_status_of_rejected_key_fails_with_reason(server: FaultServer, file: Path) -> None:
    write(file)
    for operation in ("get_client_config", "get_server_capabilities"):
        server.respond_always(operation, Reply(401, {"detail": "expired key"}))
    result = run(server, "status", "-f", "json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert (record["accessible"], "expired key" in record["error"]) == (False, True)
    assert OTHER not in result.output


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", [("run", "list"), ("auth", "status"), ("doctor",)])
def test_missing_key_names_commands_and_variables(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(
        program, ["--base-url", "http://127.0.0.1:9", "-f", "json", *command]
    )
    assert result.exit_code == 1
    assert "No API key. Run `tinker-ext auth login`, set TINKER_API_KEY, or " in result.output
    assert "api_key=" not in result.output
