"""The package's logger, whose lines each say which request they are about.

It has no handler. The standard library prints warnings of a program that has set up no logging on
standard error, so a failure that the program never looks at is seen; lines at INFO and below are
not shown unless the program asks for them. Lines quote servers, so each is redacted, printable and
bounded, whatever it was made from.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tinker_ext.redaction.printable import printable
from tinker_ext.redaction.redactor import SHOWN_HEADER, redact

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_about: ContextVar[str] = ContextVar("tinker_ext_log_about", default="")

_logger = logging.getLogger("tinker_ext")

# Characters of a line. Ours; the longest of our own have a few hundred.
_LONGEST_LINE = 4_000


class _FitToShow(logging.Filter):
    """Redacts, escapes and bounds what a line is made from."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        shown = printable(redact(line[: 2 * _LONGEST_LINE])[:_LONGEST_LINE])
        if shown != line:
            record.msg, record.args = shown, ()
        return True


_logger.addFilter(_FitToShow())


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """Puts the id of the current request behind each line, and on the record as `request_id`.

    The id is the server's once it has given one, before that the idempotency key.
    """

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        about = printable(_about.get()[:SHOWN_HEADER])
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "request_id": about}
        return (f"{msg} [{about}]" if about else msg), kwargs


log = RequestLogger(_logger, {})


class request_log_context:  # noqa: N801  # It reads as the function that it once was.
    """What is logged in this block is about this request."""

    __slots__ = ("_id", "_token")

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    def __enter__(self) -> None:
        self._token = _about.set(self._id)

    def __exit__(self, *_: object) -> None:
        _about.reset(self._token)


def use_level(level: str | None) -> None:
    """Let the package's lines of `level` and above through to the program's handlers.

    A program that has none gets them on standard error. None changes nothing.
    """
    if level is None:
        return
    _logger.setLevel(level.upper())
    if not logging.getLogger().handlers and all(
        isinstance(one, logging.NullHandler) for one in _logger.handlers
    ):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        _logger.addHandler(handler)
