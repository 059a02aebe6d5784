"""The key that `tinker auth login` of the official client stored, read and never written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

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
        return _default_of(json.loads(file.expanduser().read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = type(error).__name__
    except (json.JSONDecodeError, RecursionError):
        why = "it is not JSON"
    except ValueError as error:
        why = str(error)
    except RuntimeError as error:  # There is no home folder.
        why = type(error).__name__
    # Not in a block above: those errors and their frames hold the file's text.
    raise _unreadable(file, why)


def _default_of(stored: Any) -> Secret | None:
    """The default key of a file's content; ValueError says why it can't be used."""
    if not isinstance(stored, dict) or stored.get("version", _VERSION) != _VERSION:
        raise ValueError(f"it is of no form known here (version {_VERSION})")
    name, keys = stored.get("default"), stored.get("keys")
    if not isinstance(name, str) or not isinstance(keys, dict) or name not in keys:
        return None
    entry = keys[name]
    try:
        return parsers.read_secret(entry.get("key") if isinstance(entry, dict) else None)
    except ValueError as error:
        raise ValueError(f"its default key: {error}") from None


def _unreadable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file} can't be used: {why}. Set TINKER_API_KEY, or store the key anew.",
        setting="api_key",
    )
