"""What is said of credentials, without anybody being asked; and one question to a server."""

from __future__ import annotations

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FaultServer, Reply


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert tinker.auth.get_tinker_token() is None
    assert not tinker.auth.tinker_has_credentials()
    with pytest.raises(tinker.ConfigurationError, match="TINKER_API_KEY"):
        tinker.auth.raise_if_tinker_not_accessible()


def test_a_key_is_found_and_a_command_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 1")
    assert tinker.auth.tinker_has_credentials()
    assert tinker.auth.get_tinker_token() is None
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    assert tinker.auth.get_tinker_token() == "tml-set"


def test_settings_that_can_not_be_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    monkeypatch.setenv("TINKER_BASE_URL", "no url")
    assert tinker.auth.get_tinker_token() is None
    assert not tinker.auth.tinker_has_credentials()


def test_a_server_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        tinker.auth.raise_if_tinker_not_accessible()
        server.respond_always("get_server_capabilities", Reply(402, {"detail": "no"}))
        with pytest.raises(tinker.BillingError):
            tinker.auth.raise_if_tinker_not_accessible()
        assert len(server.calls("get_server_capabilities")) == 2
