"""Errors of the disk: recognized, and explained to the client that asked for a write."""

from __future__ import annotations

import errno
import os
import sqlite3

from tinker_ext.embedded.rejections import RejectedRequestError

# EFBIG is the limit on the size of one file (RLIMIT_FSIZE).
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

# Of extended result codes, the primary one (https://sqlite.org/rescode.html).
_PRIMARY = 0xFF

FULL = "disk full"
NOT_WRITABLE = "not writable"
FAILED = "disk failed"
_ADVICE = {
    FULL: "delete checkpoints or make room on the disk of the server's state folder",
    NOT_WRITABLE: "the server needs write access to its state folder",
    FAILED: "look at the disk of the server's state folder",
}


def storage_problem(error: BaseException) -> str | None:
    """A sentence about an error of the disk, starting with its kind; None for any other error."""
    kind = _kind(error)
    if kind is None:
        return None
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"{kind} ({reason}): {_ADVICE[kind]}"


def storage_refusal(problem: str) -> RejectedRequestError:
    """The response to a request that needs the disk: 507, and not to be sent again."""
    return RejectedRequestError(507, problem, headers={"x-should-retry": "false"})


def _kind(error: BaseException) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _sqlite_kind(getattr(error, "sqlite_errorcode", 0))
    if isinstance(error, OSError) and error.errno in _FULL:
        return FULL
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        return NOT_WRITABLE
    return FAILED if isinstance(error, OSError) and error.errno == errno.EIO else None


def _sqlite_kind(code: int) -> str | None:
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # there is no room for the file beside the database
        return FULL
    return {
        sqlite3.SQLITE_FULL: FULL,
        sqlite3.SQLITE_READONLY: NOT_WRITABLE,
        sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
        sqlite3.SQLITE_PERM: NOT_WRITABLE,
        sqlite3.SQLITE_IOERR: FAILED,
    }.get(code & _PRIMARY)
