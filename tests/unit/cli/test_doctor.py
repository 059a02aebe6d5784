"""`doctor`: settings with their sources, no secrets, and the checks of the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.fakes import FakeRest, FakeService
from tinker_ext.cli.main import program
from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.errors import APIConnectionError, AuthenticationError, ConfigurationError
from tinker_ext.testing import FaultServer, Reply

KEY = "tml-0123456789abcdef"


def run(service: FakeService, *args: str) -> Result:
    return CliRunner().invoke(program, ["doctor", *args], obj=service.context())


def record(service: FakeService) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(service, "-f", "json").stdout)
    return result


def test_doctor_shows_every_setting_with_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("TINKER_TAGS", "one,two")
    settings = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert set(settings) == set(ClientConfig.resolve().sources)
    assert settings["api_key"]["source"] == "environment TINKER_API_KEY"
    assert settings["tags"] == {
        "name": "tags",
        "value": "one, two",
        "source": "environment TINKER_TAGS",
        "variables": ["TINKER_TAGS"],
    }
    assert settings["timeout"]["source"] == "default"
    assert settings["timeout"]["variables"] == []
    assert settings["proxy"]["variables"][0] == "HTTPS_PROXY"


def test_doctor_table_shows_environment_variable_of_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    [line] = [line for line in run(FakeService()).output.splitlines() if "trace_file" in line]
    assert "TINKER_EXT_TRACE" in line


def test_doctor_shows_proxies_without_password_and_certificates(
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


def test_doctor_masks_secrets_in_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cloudy-secret")
    for output in (run(FakeService()).output, run(FakeService(), "-f", "json").output):
        assert KEY[4:] not in output
        assert "cloudy" not in output
        assert "tml-***" in output


def test_doctor_names_other_sources_of_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login = tmp_path / "credentials.json"
    stored = {"version": 1, "default": "a", "keys": {"a": {"type": "manual", "key": KEY}}}
    login.write_text(json.dumps(stored))
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", login)
    settings = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert settings["api_key"]["source"] == "file ~/.tinker/credentials.json"
    assert settings["api_key"]["value"].startswith("tml-*** (sha256 ")
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {KEY}")
    settings = {entry["name"]: entry for entry in record(FakeService())["configuration"]}
    assert settings["api_key"]["source"] == "default"
    assert settings["credential_cmd"]["source"] == "environment TINKER_CREDENTIAL_CMD"
    assert KEY not in str(settings)


def test_responding_server_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    checks = record(FakeService())["checks"]
    assert [(check["name"], check["ok"]) for check in checks] == [
        ("Server", True),
        ("Protocol", True),
        ("Key", True),
        ("Round trip", True),
    ]
    assert "embedded/tiny" in checks[0]["found"]
    assert all(0 <= check["seconds"] < 5 for check in checks)


def test_doctor_does_not_retry() -> None:
    service = FakeService()
    run(service)
    (settings,) = service.opened_with
    assert settings["retry_window"] < 0.01


def test_doctor_reports_payment_required_without_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server:
        server.respond_always("get_server_capabilities", Reply(402, {"detail": "no credit"}))
        monkeypatch.setenv("TINKER_API_KEY", KEY)
        result = CliRunner().invoke(program, ["--base-url", server.url, "doctor"])
        assert result.exit_code == 1
        assert "no credit" in result.output
        assert len(server.calls("get_server_capabilities")) == 1


def test_unreachable_server_fails_and_settings_are_shown() -> None:
    result = run(FakeService(FakeRest(error=APIConnectionError("no connection"))))
    assert result.exit_code == 1
    assert "base_url" in result.stdout
    assert "Key" not in [
        line.split("│")[1].strip() for line in result.stdout.splitlines() if "│" in line
    ]
    advice = "check that the server is running and that base_url is correct"
    assert result.stderr == f"Error: the check `Server` failed: no connection; {advice}\n"


def test_rejected_key_is_distinguished_from_unreachable_server() -> None:
    rest = FakeRest(error=AuthenticationError("HTTP 401 Unauthorized", status_code=401))
    service = FakeService(rest, public_capabilities=True)
    result = run(service)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the check `Key` failed: HTTP 401")


def test_missing_key_error_names_variable_and_settings_are_shown() -> None:
    from tinker_ext.cli.context import CommandContext

    def fail(**_: object) -> Any:
        raise ConfigurationError("set TINKER_API_KEY")

    result = CliRunner().invoke(program, ["doctor"], obj=CommandContext(opener=fail))
    assert result.exit_code == 1
    assert "api_key" in result.stdout
    assert "TINKER_API_KEY" in result.stderr


def test_doctor_warns_about_credentials_readable_by_other_users(
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
        expected = f"Warning: other users can read the keys in {login}; run: chmod 600 {login}"
        assert (expected in result.stdout) == warned
