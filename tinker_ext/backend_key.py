"""The random key of a private embedded backend, and the file for other processes to read it from.

The process that starts the backend generates the key. The backend writes it into its state folder,
where clients that were unpickled or created from a sampler handle read it: a pickle holds the path
of the file instead of the key.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from tinker_ext.private_files import write_private
from tinker_ext.redaction.secret import Secret

FILE_NAME = "key"

# Strict, so that a path from a foreign pickle can't have any other file sent to a server.
_KEY = re.compile(r"embedded-[A-Za-z0-9_-]{43}")


def new_key() -> Secret:
    """A key that can't be guessed: 256 random bits."""
    return Secret(f"embedded-{secrets.token_urlsafe(32)}")


def write_key(state_dir: Path, key: Secret) -> None:
    """Write the key into a state folder, for the owner's other processes."""
    write_private(state_dir / FILE_NAME, key.reveal().encode())


def read_key(file: Path) -> Secret | None:
    """The key in a file, or None if the file is gone or holds anything else."""
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return Secret(text) if _KEY.fullmatch(text) else None
