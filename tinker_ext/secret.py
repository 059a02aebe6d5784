"""A key that shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any, final

_MASK = "***"


@final
class Secret:
    """A text that appears in no repr, format, log, pickle or attrs dump.

    `reveal()` gives it. A pickled Secret arrives empty, and false: another process takes the
    key from its own environment. Copies within a process are the same object.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself."""
        return self.__value

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal: tells keys apart without showing them."""
        return sha256(self.__value.encode()).hexdigest()

    @property
    def masked(self) -> str:
        """For people comparing settings: the kind of key and the head of its digest."""
        kind = next((kind for kind in ("tml-", "eyJ") if self.__value.startswith(kind)), "")
        return f"{kind}{_MASK} (sha256 {self.digest[:8]})" if self.__value else "(empty)"

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

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
