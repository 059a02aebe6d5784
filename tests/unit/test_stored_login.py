"""The key stored by the official client: used last, and never displayed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.errors import ConfigurationError

KEY = "tml-STORED0123456789"


def stored(keys: Any, **fields: Any) -> str:
    return json.dumps({"version": 1, "default": "one", "keys": keys} | fields)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a login, in the home folder of this test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", Path("~/.tinker/credentials.json"))
    path = tmp_path / ".tinker" / "credentials.json"
    path.parent.mkdir()
    path.write_text(stored({"one": {"type": "manual", "key": KEY, "name": "mine"}}))
    return path


@pytest.mark.usefixtures("file")
def test_stored_key_used_only_without_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClientConfig.resolve()
    assert config.api_key is not None
    assert config.api_key.reveal() == KEY
    assert config.sources["api_key"] == "file ~/.tinker/credentials.json"
    assert pickle.loads(pickle.dumps(config)).api_key.reveal() == KEY
    assert KEY.encode() not in pickle.dumps(config)
    assert ClientConfig.resolve(base_url="embedded").api_key is None
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "print-a-key")
    assert ClientConfig.resolve().api_key is None
    assert ClientConfig.resolve(api_key="tml-argument").sources["api_key"] == "argument"
    monkeypatch.setenv("TINKER_API_KEY", "tml-set")
    assert ClientConfig.resolve().sources["api_key"] == "environment TINKER_API_KEY"


@pytest.mark.parametrize(
    "text",
    [
        stored({}),
        stored({"one": {"key": KEY}}, default=None),
        stored({"two": {"key": KEY}}),
        stored({"one": {"key": KEY}}, default=["one"]),
        stored([KEY]),
        "{}",
    ],
)
def test_file_without_default_key_ignored(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"No API key\. Set TINKER_API_KEY"):
        ClientConfig.resolve()


def test_missing_file_ignored(file: Path) -> None:
    file.unlink()
    assert ClientConfig.resolve(require_key=False).api_key is None
    file.parent.rmdir()
    file.parent.touch()
    assert ClientConfig.resolve(require_key=False).api_key is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"[{KEY}", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        (json.dumps(KEY), 'expected a JSON object with "version": 1'),
        (stored({"one": {"key": KEY}}, version=2), 'expected a JSON object with "version": 1'),
        (stored({"one": KEY}), "default key: expected a str"),
        (stored({"one": {"key": f"{KEY} {KEY}"}}), "default key: must not contain whitespace"),
    ],
)
def test_malformed_file_error_names_file_and_hides_content(
    file: Path, text: str, reason: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        ClientConfig.resolve()
    assert str(caught.value).startswith("~/.tinker/credentials.json can't be used: ")
    assert "STORED" not in str(caught.value)


def test_unreadable_file_error_names_cause(file: Path) -> None:
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UnicodeDecodeError"):
        ClientConfig.resolve()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationError, match="IsADirectoryError"):
        ClientConfig.resolve()
