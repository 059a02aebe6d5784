"""Errors that become responses: rejected requests, failed operations and disk errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# EFBIG: the limit on the size of a single file (RLIMIT_FSIZE).
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

# Reduces an extended result code to the primary one (https://sqlite.org/rescode.html).
_PRIMARY = 0xFF

FULL = "disk full"
NOT_WRITABLE = "not writable"
FAILED = "disk failed"
_ADVICE = {
    FULL: "delete checkpoints or free space on the disk of the server's state folder",
    NOT_WRITABLE: "the server needs write access to its state folder",
    FAILED: "check the disk of the server's state folder",
}


class RejectedRequestError(Exception):
    """Respond with this status code and ``{"detail": detail}``.

    `detail` is a sentence, or for a malformed request (422) the list of its validation errors.
    """

    def __init__(
        self, status: int, detail: object, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class UserFailureError(Exception):
    """An accepted operation failed; the message says what the user has to change."""


def describe_storage_error(error: BaseException) -> str | None:
    """A message about a disk error, starting with its kind; None for any other error."""
    kind = _kind(error)
    if kind is None:
        return None
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"{kind} ({reason}): {_ADVICE[kind]}"


def storage_rejection(description: str) -> RejectedRequestError:
    """507 for a request that needs the disk; `x-should-retry: false` prevents a retry."""
    return RejectedRequestError(507, description, headers={"x-should-retry": "false"})


def unsupported(reason: str) -> RejectedRequestError:
    """404 for an operation that this server does not have.

    Not 501, because the official client repeats a request for five minutes after any 5xx, even with
    `x-should-retry: false` (tinker 0.38.0, lib/internal_client_holder.py).
    """
    return RejectedRequestError(404, reason, headers={"x-should-retry": "false"})


def _kind(error: BaseException) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _sqlite_kind(getattr(error, "sqlite_errorcode", 0))
    if isinstance(error, OSError) and error.errno in _FULL:
        return FULL
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        return NOT_WRITABLE
    return FAILED if isinstance(error, OSError) and error.errno == errno.EIO else None


def _sqlite_kind(code: int) -> str | None:
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # no space for the -shm file
        return FULL
    return {
        sqlite3.SQLITE_FULL: FULL,
        sqlite3.SQLITE_READONLY: NOT_WRITABLE,
        sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
        sqlite3.SQLITE_PERM: NOT_WRITABLE,
        sqlite3.SQLITE_IOERR: FAILED,
    }.get(code & _PRIMARY)
