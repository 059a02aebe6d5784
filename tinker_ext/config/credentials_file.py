"""The file in which logins store keys, shared with the official client (release 0.38.0)."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError
from tinker_ext.private_files import FILE_MODE, make_private_folder
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


@frozen
class StoredKey:
    """A stored key: its id and name, the organization and email of its owner, if stored.

    `generated` keys were created by a login of an earlier release of the official client, which
    deletes them on the server at logout.
    """

    key_id: str
    key: Secret
    name: str
    organization: str | None = None
    email: str | None = None
    note: str | None = None
    generated: bool = False


def read_stored_key(file: Path) -> StoredKey | None:
    """The record of the default key; None if there is no file or no default key.

    Raises:
        ConfigurationError: the file can't be read; the message contains nothing of its content.
    """
    key = read_default_key(file)
    if key is None:
        return None
    content = _load(file)
    key_id = content["default"]
    record = content["keys"][key_id]
    details = record.get("details")
    details = details if isinstance(details, dict) else {}
    return StoredKey(
        key_id=key_id,
        key=key,
        name=str(record.get("name") or key_id),
        organization=_text(details.get("org_details"), "name"),
        email=_text(details.get("user_details"), "email"),
        generated=record.get("type") == "generated",
    )


def store_default_key(file: Path, stored: StoredKey) -> None:
    """Add a key to the file and make it the default; other keys stay.

    The file is replaced in one step and has mode 0600.

    Raises:
        ConfigurationError: the file exists and has another format.
        OSError: it can't be written.
    """
    content = _load(file)
    record: dict[str, Any] = {"type": "manual", "key": stored.key.reveal(), "name": stored.name}
    if stored.note is not None:
        record["note"] = stored.note
    if stored.organization is not None and stored.email is not None:
        record["details"] = {
            "org_details": {"name": stored.organization},
            "user_details": {"email": stored.email},
        }
    keys = {**content.get("keys", {}), stored.key_id: record}
    _save(file, {**content, "version": _VERSION, "default": stored.key_id, "keys": keys})


def remove_key(file: Path, key_id: str) -> None:
    """Remove a key from the file; if it was the default, there is none afterwards.

    Raises:
        ConfigurationError: the file has another format.
        OSError: it can't be written.
    """
    content = _load(file)
    content["keys"] = {
        name: record for name, record in content.get("keys", {}).items() if name != key_id
    }
    if content.get("default") == key_id:
        del content["default"]
    _save(file, content)


def _load(file: Path) -> dict[str, Any]:
    """The content of the file; a new one if there is none."""
    try:
        content = json.loads(file.expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"version": _VERSION, "keys": {}}
    except (OSError, ValueError, RecursionError) as error:
        reason = type(error).__name__
    else:
        if (
            isinstance(content, dict)
            and content.get("version", _VERSION) == _VERSION
            and isinstance(content.get("keys", {}), dict)
        ):
            return content
        reason = f"expected an object of version {_VERSION}"
    raise _unreadable(file, reason)


def _save(file: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step; `mkstemp` creates its successor with mode 0600."""
    target = file.expanduser()
    make_private_folder(target.parent)
    import tempfile  # Only where keys are stored; it takes 3 ms.

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as opened:
            json.dump(content, opened, indent=2)
        os.chmod(name, FILE_MODE)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _text(value: Any, name: str) -> str | None:
    text = value.get(name) if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


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
