"""`tinker_ext.auth`: stored credentials, and a check with one request."""

from __future__ import annotations

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FaultServer, Reply


def test_no_credentials() -> None:
    assert tinker.auth.get_tinker_token() is None
    assert not tinker.auth.tinker_has_credentials()
    with pytest.raises(tinker.ConfigurationError, match="TINKER_API_KEY"):
        tinker.auth.raise_if_tinker_not_accessible()


def test_key_returned_and_credential_cmd_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 1")
    assert tinker.auth.tinker_has_credentials()
    assert tinker.auth.get_tinker_token() is None
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    assert tinker.auth.get_tinker_token() == "tml-set"


def test_invalid_settings_are_not_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    monkeypatch.setenv("TINKER_BASE_URL", "no url")
    assert tinker.auth.get_tinker_token() is None
    assert not tinker.auth.tinker_has_credentials()


def test_accessibility_check_sends_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        tinker.auth.raise_if_tinker_not_accessible()
        server.respond_always("get_server_capabilities", Reply(402, {"detail": "no"}))
        with pytest.raises(tinker.BillingError):
            tinker.auth.raise_if_tinker_not_accessible()
        assert len(server.calls("get_server_capabilities")) == 2
