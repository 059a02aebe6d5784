"""Prepares foreign text for display: short, printable, and without secrets.

Errors, logs and spans quote servers and proxies. This module decides how much of a text is shown,
which characters are escaped, and which parts are redacted: every secret that this process holds
(`tinker_ext.redaction.secret`), words that look like a key, and credentials in URLs and after the
name of an authentication scheme.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tinker_ext.redaction.secret import MASK, Needle, forms_of, hide, known_needles

#: The response header with the server's name for a request.
REQUEST_ID = "x-request-id"
#: Response headers that an error keeps. None of them can contain a credential; others may.
KEPT_HEADERS = frozenset(
    {
        "cf-ray",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "retry-after-ms",
        "server",
        "www-authenticate",
        REQUEST_ID,
        "x-should-retry",
    }
)
#: Characters of a server's text that fit in a message, and of one header's value.
SHOWN_TEXT = 500
SHOWN_HEADER = 200
#: Characters of one text that are examined; texts are never cut shorter before redaction.
READ_TEXT = 65_536
#: Levels and entries of a structured body that an error keeps.
KEPT_DEPTH = 8
KEPT_ENTRIES = 200

#: Characters of a request id that are kept and sent. The service's have about 40.
LONGEST_ID = 1_024

# Characters redacted beyond the kept part of a longer text; the longest secret.
_CUT_SECRET = 4_096
# Keys start with "tml-", their short-lived forms are JSON web tokens (0.38.0 accepts no others).
# A short one right after an "h" is more likely "html-page" than a key.
_KEY_LIKE = re.compile(
    r"(?<!h)tml-[A-Za-z0-9_\-]{4,}|tml-[A-Za-z0-9_\-]{16,}"
    r"|eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*){0,2}"
)
_IN_URL = re.compile(r"(?<=://)[^\s/@\"'<>]*:[^\s/@\"'<>]+(?=@)")
# A word of letters alone after a scheme is prose ("Basic authentication required").
_SCHEMES = ("Basic", "basic", "BASIC", "Bearer", "bearer", "BEARER")
_BEHIND_SCHEME = re.compile(
    r"(?<![\w-])((?:basic|bearer)\s+)(?=[a-z]*(?:[\d+/=._~-]|(?-i:[a-z][A-Z])))[\w+/=.~-]{8,}",
    re.IGNORECASE,
)


def server_words(body: object, secrets: Iterable[str] = ()) -> str:
    """The message of an error body, as one redacted and shortened line.

    Reads ``{"error": ...}``, ``{"detail": ...}`` (text or FastAPI's list with paths),
    ``{"message": ...}``, these inside one another, plain text and HTML pages. Anything else is
    shown as JSON.
    """
    # Redacted before shortening: half a key is not recognized and would be shown.
    return shorten(redact(_words(body, depth=0)[:READ_TEXT], secrets))


def _words(body: object, depth: int) -> str:
    if body is None or depth > KEPT_DEPTH:
        return ""
    if isinstance(body, bytes | bytearray):
        return _words(bytes(body[:READ_TEXT]).decode("utf-8", "replace"), depth)
    if isinstance(body, str):
        return _page_title(body) or body
    if isinstance(body, dict):
        return _mapping_words(body, depth)
    if isinstance(body, list | tuple):
        messages = (_words(item, depth + 1) for item in body[:KEPT_ENTRIES])
        return "; ".join(words for words in messages if words)
    return _as_json(body)


def _mapping_words(body: dict[Any, Any], depth: int) -> str:
    if isinstance(body.get("msg"), str) and isinstance(body.get("loc"), list | tuple):
        return f"{'.'.join(str(step) for step in body['loc'])}: {body['msg']}"
    for name in ("error", "detail", "message", "error_message"):
        if words := _words(body.get(name), depth + 1):
            return words
    return _as_json(redact_body(body)) if body else ""


def _as_json(value: object) -> str:
    """Compact JSON, as clients in other languages write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _page_title(text: str) -> str:
    """The title of an HTML page, the only useful part of a proxy's error page."""
    if "<" not in text[:100]:
        return ""
    title = re.search(r"<title[^>]{0,100}>([^<]{1,500})", text[:4096], re.IGNORECASE)
    return title[1] if title else ""


def shorten(text: str, limit: int = SHOWN_TEXT) -> str:
    """One printable line of at most `limit` characters; a cut is followed by the full length."""
    line = printable(" ".join(text[: 4 * limit].split()))
    if len(line) <= limit and len(text) <= 4 * limit:
        return line
    return f"{line[:limit]}... ({len(text)} characters)"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the secrets of this process, the given ones, and anything like a key."""
    return _redact(text, _needles(secrets))


def _needles(secrets: Iterable[str]) -> tuple[Needle, ...]:
    explicit = (needle for secret in secrets if secret for needle in forms_of(secret))
    return (*known_needles(), *explicit)


def _redact(text: str, needles: tuple[Needle, ...]) -> str:
    text = hide(text, needles, MASK)
    # Most texts contain none of these; a substring test is far cheaper than a pattern.
    if "://" in text:
        text = _IN_URL.sub(MASK, text)
    if any(scheme in text for scheme in _SCHEMES):
        text = _BEHIND_SCHEME.sub(rf"\1{MASK}", text)
    if "tml-" in text or "eyJ" in text:
        text = _KEY_LIKE.sub(MASK, text)
    return text


def redact_body(body: object, secrets: Iterable[str] = ()) -> object:
    """A copy of a parsed body without secrets, cut if it is too deep, wide or long."""
    return _BodyCopier(_needles(secrets)).copy(body, depth=0)


class _BodyCopier:
    """Copies one body, at most `READ_TEXT` characters of it."""

    def __init__(self, needles: tuple[Needle, ...]) -> None:
        self._needles = needles
        self._remaining = READ_TEXT

    def copy(self, body: object, depth: int) -> object:
        if isinstance(body, bytes | bytearray):
            body = bytes(body[:READ_TEXT]).decode("utf-8", "replace")
        if isinstance(body, str):
            return self._text(body)
        is_container = isinstance(body, dict | list | tuple | memoryview)
        if is_container and (depth >= KEPT_DEPTH or self._remaining <= 0):
            return "..."
        if isinstance(body, dict):
            return {
                self._text(str(name)[:READ_TEXT])[:SHOWN_HEADER]: self.copy(value, depth + 1)
                for name, value in list(body.items())[:KEPT_ENTRIES]
            }
        if isinstance(body, list | tuple | memoryview):
            return [self.copy(value, depth + 1) for value in body[:KEPT_ENTRIES]]
        return body

    def _text(self, text: str) -> str:
        """The redacted text, or its first part if it exceeds the remaining characters."""
        limit = max(self._remaining, SHOWN_TEXT)
        self._remaining -= len(text) + 1
        if len(text) <= limit:
            return _redact(text, self._needles)
        # The cut may leave a part of a secret that is too short for recognition.
        return _redact(text[: limit + _CUT_SECRET], self._needles)[:-_CUT_SECRET]


def kept_headers(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The headers of `KEPT_HEADERS`, names lower-cased, values redacted and shortened."""
    hidden = tuple(secrets)
    return {
        name.lower(): shorten(redact(value[:READ_TEXT], hidden), SHOWN_HEADER)
        for name, value in headers.items()
        if name.lower() in KEPT_HEADERS
    }


def printable(text: str) -> str:
    """`text` with control, escape and bidirectional characters shown as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
