"""Keys that are revealed only on request and redacted in all displayed text."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, final
from weakref import WeakValueDictionary

from tinker_ext.redaction.forms import Needle, forms_of

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
