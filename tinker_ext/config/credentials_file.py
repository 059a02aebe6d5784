"""Reads the key that `tinker auth login` of the official client stored; never writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

#: The file in which the official client stores keys (0.38.0 credentials.py), and its source name.
CREDENTIALS_FILE = Path("~/.tinker/credentials.json")
SOURCE = f"file {CREDENTIALS_FILE}"
#: The only version of the file format.
_VERSION = 1


def read_default_key(file: Path) -> Secret | None:
    """The default key in a credentials file; None if there is no file or no default key.

    The file is ``{"version": 1, "default": id, "keys": {id: {"key": ...}}}``.

    Raises:
        ConfigurationError: the file can't be read; the message contains nothing of its content.
    """
    try:
        return _default_of(json.loads(file.expanduser().read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
    except (json.JSONDecodeError, RecursionError):
        reason = "expected JSON"
    except ValueError as error:
        reason = str(error)
    except RuntimeError as error:  # There is no home folder.
        reason = type(error).__name__
    # Not raised above, because those errors and their frames hold the file's text.
    raise _unreadable(file, reason)


def _default_of(stored: Any) -> Secret | None:
    """The default key of a file's content; raises ValueError if it can't be used."""
    if not isinstance(stored, dict) or stored.get("version", _VERSION) != _VERSION:
        raise ValueError(f'expected a JSON object with "version": {_VERSION}')
    name, keys = stored.get("default"), stored.get("keys")
    if not isinstance(name, str) or not isinstance(keys, dict) or name not in keys:
        return None
    entry = keys[name]
    try:
        return parsers.read_secret(entry.get("key") if isinstance(entry, dict) else None)
    except ValueError as error:
        raise ValueError(f"default key: {error}") from None


def _unreadable(file: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file} can't be used: {reason}. Set TINKER_API_KEY, or log in again.",
        setting="api_key",
    )
