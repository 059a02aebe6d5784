"""Keys that are revealed only on request, and how other text is searched for them.

A key is found in the forms in which servers and commands repeat it: unchanged, in upper or lower
case, JSON-escaped, URL-encoded, HTML-escaped (also repeatedly), in base64 at any offset, and
truncated to at least half.
"""

from __future__ import annotations

import base64
import hmac
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple, final
from weakref import WeakValueDictionary

MASK = "***"
#: Characters of the shortest secret that is redacted in other text. Some servers accept any word as
#: a key; a shorter one would match text by chance. Ours; the service's keys are far longer.
SHORTEST = 6

# Existing secrets by id; they are redacted in all displayed text.
_known: WeakValueDictionary[int, Secret] = WeakValueDictionary()
# Keeps the secrets of recent calls alive.
_recent: deque[Secret] = deque(maxlen=64)


@final
class Secret:
    """A text that appears in no repr, format, log, pickle or attrs dump.

    `reveal()` returns it. A Secret is unpickled empty, and false: another process takes the key
    from its own environment. Copies within a process are the same object.
    """

    __slots__ = ("__needles", "__value", "__weakref__")

    def __init__(self, value: str) -> None:
        self.__value = value
        self.__needles: tuple[Needle, ...] | None = None
        if len(value) >= SHORTEST:
            _known[id(self)] = self

    def reveal(self) -> str:
        """The text itself."""
        return self.__value

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal: distinguishes keys without showing them."""
        return sha256(self.__value.encode()).hexdigest()

    @property
    def masked(self) -> str:
        """The kind of key and the start of its digest, for comparing settings."""
        kind = next((kind for kind in ("tml-", "eyJ") if self.__value.startswith(kind)), "")
        return f"{kind}{MASK} (sha256 {self.digest[:8]})" if self.__value else "(empty)"

    def _needles(self) -> tuple[Needle, ...]:
        if self.__needles is None:
            self.__needles = forms_of(self.__value)
        return self.__needles

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash(self.digest)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, ("",)


@final
class HiddenValue:
    """The value of a setting, which no repr, traceback or pickle shows until it is parsed."""

    __slots__ = ("__value",)

    def __init__(self, value: object) -> None:
        self.__value = value

    def take(self) -> object:
        """The value itself."""
        return self.__value

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> tuple[type[HiddenValue], tuple[None]]:
        return HiddenValue, (None,)


def remembered(values: Iterable[str]) -> tuple[Secret, ...]:
    """Secrets of one call; kept for a while, because a later response may repeat them."""
    secrets = tuple(Secret(value) for value in values)
    _recent.extend(secrets)
    return secrets


def known_needles() -> tuple[Needle, ...]:
    """The forms of all secrets that this process holds."""
    held = [ref() for ref in _known.valuerefs()]
    secrets = {secret.reveal(): secret for secret in held if secret is not None}
    return tuple(needle for secret in secrets.values() for needle in secret._needles())


# Characters; ours. Shorter parts of a secret would match other text by chance.
_LONG = 16
_SHORTEST_START = 12
_SHORTEST_IN_BASE64 = 8

_ESCAPE = re.compile(
    r"\\+(?:u(?P<u>[0-9a-fA-F]{4})|x(?P<x>[0-9a-fA-F]{2})|(?P<char>[\"'\\/]))"
    r"|%(?:25)*(?P<percent>[0-9a-fA-F]{2})"
    r"|&(?:amp;)*(?P<entity>#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-z]{2,6};)"
)


class Needle(NamedTuple):
    """One form of a secret, recognized by at least its first `least` characters."""

    form: str
    least: int


def forms_of(value: str) -> tuple[Needle, ...]:
    """The forms of a secret, except for escaped ones."""
    forms = [value, value.replace(" ", "+"), value.encode().decode("latin-1")]
    if len(value) >= _LONG:
        forms += [value.lower(), value.upper()]
    if len(value) >= _SHORTEST_IN_BASE64:
        for core in _base64_cores(value.encode()):
            forms += [core, core.replace("+", "-").replace("/", "_")]
    return tuple(Needle(form, _least(form)) for form in dict.fromkeys(forms))


def _least(form: str) -> int:
    return max(_SHORTEST_START, len(form) // 2) if len(form) >= _LONG else len(form)


def _base64_cores(content: bytes) -> Iterator[str]:
    """The characters of base64 that depend on the content alone, at each of three offsets."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + content).decode()
        yield encoded[-(-shift * 8 // 6) : (shift + len(content)) * 8 // 6]


def hide(text: str, needles: Iterable[Needle], mask: str) -> str:
    """`text` with each occurrence of a form, escaped or not, replaced by `mask`."""
    needles = tuple(needles)
    spans = [span for needle in needles for span in _find(text, needle)]
    if _has_escapes(text):
        unescaped = _Unescaped(text)
        spans += [
            (unescaped.original(start), unescaped.original(end))
            for needle in needles
            for start, end in _find(unescaped.text, needle)
        ]
        for needle in needles:
            if _has_escapes(needle.form):
                spans += _find_unescaped(unescaped, needle.form)
    parts, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], mask]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def _has_escapes(text: str) -> bool:
    return any(char in text for char in "\\%&")


def _find(text: str, needle: Needle) -> Iterator[tuple[int, int]]:
    form, least = needle
    start = text.find(form[:least])
    while start >= 0:
        end, matched = start + least, least
        while matched < len(form) and text[end : end + 1] == form[matched]:
            end, matched = end + 1, matched + 1
        yield start, end
        start = text.find(form[:least], end)


def _find_unescaped(text: _Unescaped, form: str) -> Iterator[tuple[int, int]]:
    """The original spans of a form that itself looks escaped, such as ``50%25``.

    Such a form is unescaped once more than it was escaped. Without its escapes it may be short, but
    its escaped occurrences are not.
    """
    plain = _Unescaped(form).text
    for start, end in _find(text.text, Needle(plain, len(plain))):
        first, last = text.original(start), text.original(end)
        if last - first >= len(form):
            yield first, last


class _Unescaped:
    """A text without its escapes, with the positions of its parts in the original."""

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        # Positions in `text` and in the original, after each escape.
        self._here, self._there = [0], [0]
        at = length = 0
        for match in _ESCAPE.finditer(text):
            plain = _plain(match)
            parts += [text[at : match.start()], plain]
            length += match.start() - at
            self._note(length, match.start())
            length, at = length + len(plain), match.end()
            self._note(length, at)
        self.text = "".join([*parts, text[at:]])

    def _note(self, here: int, there: int) -> None:
        self._here.append(here)
        self._there.append(there)

    def original(self, position: int) -> int:
        """The position in the original text of a position between two characters."""
        index = bisect_right(self._here, position) - 1
        return self._there[index] + position - self._here[index]


def _plain(match: re.Match[str]) -> str:
    """The character of an escape; the escape itself if it is not a single character."""
    if match["char"]:
        return match["char"]
    if match["entity"]:
        import html  # Its table of entities is seldom needed.

        char = html.unescape("&" + match["entity"])
        return char if len(char) == 1 else match[0]
    return chr(int(match["u"] or match["x"] or match["percent"], 16))
