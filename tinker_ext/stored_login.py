"""The key that `tinker auth login` of the official client stored, read and never written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_ext import settings
from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.secret import Secret

#: Where the official client keeps its keys (0.38.0 credentials.py), and what names the file.
CREDENTIALS_FILE = Path("~/.tinker/credentials.json")
SOURCE = f"file {CREDENTIALS_FILE}"
#: The version of its form that we can read, the only one there is.
_VERSION = 1


def read_default_key(file: Path) -> Secret | None:
    """The default key in a credentials file; None where there is no file, or no default in it.

    The file is ``{"version": 1, "default": id, "keys": {id: {"key": ...}}}``.

    Raises:
        ConfigurationError: the file is there and can't be understood; nothing of it is shown.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise _unreadable(file, type(error).__name__) from None
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable(file, "it is no JSON") from None
    return _default_of(stored, file)


def _default_of(stored: Any, file: Path) -> Secret | None:
    if not isinstance(stored, dict) or stored.get("version", _VERSION) != _VERSION:
        raise _unreadable(file, f"it is of no form known here (version {_VERSION})")
    name, keys = stored.get("default"), stored.get("keys")
    if not isinstance(name, str) or not isinstance(keys, dict) or name not in keys:
        return None
    entry = keys[name]
    try:
        return settings.read_secret(entry.get("key") if isinstance(entry, dict) else None)
    except ValueError as error:
        raise _unreadable(file, f"its default key: {error}") from None


def _unreadable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file} can't be used: {why}. Set TINKER_API_KEY, or store the key anew.",
        setting="api_key",
    )
