"""Where "absent" ends: the generated models mark a missing field, users see ``None``.

The generated models distinguish a field that was left out (``UNSET``) from one that was
``null``. Nobody above this room needs the difference, so every result passes through here.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api.types import Unset

T = TypeVar("T")


def or_none(value: T | Unset | None) -> T | None:
    """The value, or ``None`` where the server sent ``null`` or nothing."""
    from tinker_api.types import Unset

    return None if isinstance(value, Unset) else value


def or_default(value: T | Unset | None, default: T) -> T:
    """The value, or ``default`` where the server sent ``null`` or nothing."""
    read = or_none(value)
    return default if read is None else read


def or_unset(value: T | None) -> T | Unset:
    """A value for a query or a body; ``None`` is left out."""
    from tinker_api.types import UNSET

    return UNSET if value is None else value


def as_dict(value: object) -> dict[str, Any] | None:
    """The entries of a generated map (or of a plain one); ``None`` where there is no map."""
    found: Any = or_none(value)
    if found is None:
        return None
    return dict(getattr(found, "additional_properties", found))


def as_utc(time: datetime) -> datetime:
    """The time with a zone. A time without one is UTC: servers differ in writing the ``Z``."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
