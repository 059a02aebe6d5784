"""The official client's stored key: the last place looked at, and never shown."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.errors import ConfigurationError

KEY = "tml-STORED0123456789"


def stored(keys: Any, **more: Any) -> str:
    return json.dumps({"version": 1, "default": "one", "keys": keys} | more)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a login, in the home folder of this test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", Path("~/.tinker/credentials.json"))
    place = tmp_path / ".tinker" / "credentials.json"
    place.parent.mkdir()
    place.write_text(stored({"one": {"type": "manual", "key": KEY, "name": "mine"}}))
    return place


@pytest.mark.usefixtures("file")
def test_it_is_used_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClientConfig.resolve()
    assert config.api_key is not None
    assert config.api_key.reveal() == KEY
    assert config.sources["api_key"] == "file ~/.tinker/credentials.json"
    assert pickle.loads(pickle.dumps(config)).api_key.reveal() == KEY
    assert KEY.encode() not in pickle.dumps(config)
    assert ClientConfig.resolve(base_url="embedded").api_key is None
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "print-a-key")
    assert ClientConfig.resolve().api_key is None
    assert ClientConfig.resolve(api_key="tml-given").sources["api_key"] == "argument"
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
def test_a_file_without_a_default_is_no_login(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="There is no API key"):
        ClientConfig.resolve()


def test_without_a_file_there_is_no_login(file: Path) -> None:
    file.unlink()
    assert ClientConfig.resolve(require_key=False).api_key is None
    file.parent.rmdir()
    file.parent.touch()
    assert ClientConfig.resolve(require_key=False).api_key is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"[{KEY}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (json.dumps(KEY), "no form known"),
        (stored({"one": {"key": KEY}}, version=2), "no form known"),
        (stored({"one": KEY}), "its default key: a text is needed"),
        (stored({"one": {"key": f"{KEY} {KEY}"}}), "its default key: it has blanks"),
    ],
)
def test_a_file_that_cant_be_understood_is_named_and_not_shown(
    file: Path, text: str, why: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=why) as caught:
        ClientConfig.resolve()
    assert str(caught.value).startswith("~/.tinker/credentials.json can't be used: ")
    assert "STORED" not in str(caught.value)


def test_a_file_that_cant_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UnicodeDecodeError"):
        ClientConfig.resolve()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationError, match="IsADirectoryError"):
        ClientConfig.resolve()
