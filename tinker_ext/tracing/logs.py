"""The package's logger, which appends the id of the current request to each message.

It has no handler. If a program has not configured logging, the standard library prints warnings to
standard error, so an unretrieved failure is visible; messages at INFO and below are not. Messages
may quote the server, so each is redacted, escaped and truncated.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

from tinker_ext.redaction.redactor import SHOWN_HEADER, printable, redact

#: The id of the current request, for messages; before the server has assigned one, the idempotency
#: key.
log_request_id: ContextVar[str] = ContextVar("tinker_ext_log_request_id", default="")

_logger = logging.getLogger("tinker_ext")

# Characters of a message. The package's own messages have a few hundred at most.
_MAX_MESSAGE = 4_000


class _Sanitizer(logging.Filter):
    """Redacts, escapes and truncates messages."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        sanitized = printable(redact(message[: 2 * _MAX_MESSAGE])[:_MAX_MESSAGE])
        if sanitized != message:
            record.msg, record.args = sanitized, ()
        return True


_logger.addFilter(_Sanitizer())


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """Appends the id of the current request to each message, and sets it as `record.request_id`.

    Before the server has assigned an id, the idempotency key is used.
    """

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        request_id = printable(log_request_id.get()[:SHOWN_HEADER])
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "request_id": request_id}
        return (f"{msg} [{request_id}]" if request_id else msg), kwargs


log = RequestLogger(_logger, {})


def use_level(level: str | None) -> None:
    """Set the level of the package's logger; None leaves it unchanged.

    If the program has configured no handlers, adds one that writes to standard error.
    """
    if level is None:
        return
    _logger.setLevel(level.upper())
    if not logging.getLogger().handlers and all(
        isinstance(handler, logging.NullHandler) for handler in _logger.handlers
    ):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        _logger.addHandler(handler)
