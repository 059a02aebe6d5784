"""`doctor`: every setting with its source, no key in sight, and what the server said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from tests.unit.cli.fakes import FakeRest, FakeService
from tinker_ext.cli.main import program
from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.errors import APIConnectionError, AuthenticationError, ConfigurationError
from tinker_ext.testing import FaultServer, Reply

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KEY = "tml-0123456789abcdef"


def run(service: FakeService, *args: str) -> Result:
    return CliRunner().invoke(program, ["doctor", *args], obj=service.context())


def record(service: FakeService) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(run(service, "-f", "json").stdout)
    return response


def test_every_setting_is_shown_with_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("TINKER_TAGS", "one,two")
    shown = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert set(shown) == set(ClientConfig.resolve().sources)
    assert shown["api_key"]["source"] == "environment TINKER_API_KEY"
    assert shown["tags"] == {
        "name": "tags",
        "value": "one, two",
        "source": "environment TINKER_TAGS",
    }
    assert shown["timeout"]["source"] == "default"


def test_proxies_and_certificates_are_shown_without_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hidden@proxy:3128")
    monkeypatch.setenv("NO_PROXY", "a.example, b.example")
    shown = record(FakeService())
    assert "hidden" not in str(shown)
    assert [tuple(entry.values()) for entry in shown["network"]] == [
        ("proxy for https", "http://proxy:3128", "environment HTTPS_PROXY"),
        ("no proxy for", "a.example, b.example", "environment NO_PROXY"),
        ("certificates", "the system's and certifi's", "default"),
    ]
    monkeypatch.setenv("SSL_CERT_DIR", "/folder")
    assert record(FakeService())["network"][-1]["value"] == "/folder"
    monkeypatch.setenv("SSL_CERT_FILE", "/file.pem")
    assert record(FakeService())["network"][-1]["value"] == "/file.pem"


def test_secrets_are_masked_in_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cloudy-secret")
    for output in (run(FakeService()).output, run(FakeService(), "-f", "json").output):
        assert KEY[4:] not in output
        assert "cloudy" not in output
        assert "tml-***" in output


def test_other_sources_of_a_key_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login = tmp_path / "credentials.json"
    stored = {"version": 1, "default": "a", "keys": {"a": {"type": "manual", "key": KEY}}}
    login.write_text(json.dumps(stored))
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", login)
    shown = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert shown["api_key"]["source"] == "file ~/.tinker/credentials.json"
    assert shown["api_key"]["value"].startswith("tml-*** (sha256 ")
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {KEY}")
    shown = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert shown["api_key"]["source"] == "default"
    assert shown["credential_cmd"]["source"] == "environment TINKER_CREDENTIAL_CMD"
    assert KEY not in str(shown)


def test_a_server_that_answers_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    checks = record(FakeService())["checks"]
    assert [(check["name"], check["ok"]) for check in checks] == [
        ("Server", True),
        ("Dialect", True),
        ("Key", True),
        ("Round trip", True),
    ]
    assert "embedded/tiny" in checks[0]["found"]
    assert all(0 <= check["seconds"] < 5 for check in checks)


def test_only_one_attempt_is_made() -> None:
    service = FakeService()
    run(service)
    (settings,) = service.opened_with
    assert settings["retry_window"] < 0.01


def test_an_account_that_can_not_pay_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server:
        server.respond_always("get_server_capabilities", Reply(402, {"detail": "no credit"}))
        monkeypatch.setenv("TINKER_API_KEY", KEY)
        result = CliRunner().invoke(program, ["--base-url", server.url, "doctor"])
        assert result.exit_code == 1
        assert "no credit" in result.output
        assert len(server.calls("get_server_capabilities")) == 1


def test_a_server_that_is_not_there_fails_and_the_settings_are_shown_all_the_same() -> None:
    result = run(FakeService(FakeRest(error=APIConnectionError("nobody there"))))
    assert result.exit_code == 1
    assert "base_url" in result.stdout
    assert "Key" not in [
        line.split("│")[1].strip() for line in result.stdout.splitlines() if "│" in line
    ]
    assert result.stderr == "Error: Server: nobody there: does it run, and is base_url right?\n"


def test_a_refused_key_is_told_from_a_missing_server() -> None:
    rest = FakeRest(error=AuthenticationError("HTTP 401 Unauthorized", status_code=401))
    service = FakeService(rest, public_capabilities=True)
    result = run(service)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Key: HTTP 401")


def test_without_a_key_the_settings_are_shown_and_the_error_says_what_to_set() -> None:
    from tinker_ext.cli.context import CommandContext

    def refuse(**_: object) -> Any:
        raise ConfigurationError("set TINKER_API_KEY")

    result = CliRunner().invoke(program, ["doctor"], obj=CommandContext(opener=refuse))
    assert result.exit_code == 1
    assert "api_key" in result.stdout
    assert "TINKER_API_KEY" in result.stderr


def test_credentials_that_other_users_can_read_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login = tmp_path / "credentials.json"
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", login)
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    assert record(FakeService())["warnings"] == []
    login.write_text("{}")
    for mode, warned in ((0o600, False), (0o644, True), (0o640, True), (0o400, False)):
        login.chmod(mode)
        warnings = record(FakeService())["warnings"]
        assert bool(warnings) == warned
        result = run(FakeService())
        assert result.exit_code == 0
        expected = f"Warning: other users can read the keys in {login}: chmod 600 {login}"
        assert (expected in result.stdout) == warned
