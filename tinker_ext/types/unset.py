"""Conversion between the generated models' ``UNSET`` and ``None``.

The generated models distinguish a missing field (``UNSET``) from a null one. The rest of the
package does not need the difference and uses ``None`` for both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from tinker_api.types import UNSET, Unset

T = TypeVar("T")


def or_none(value: T | Unset | None) -> T | None:
    """Returns the value, or ``None`` if the field is null or missing."""
    return None if isinstance(value, Unset) else value


def or_default(value: T | Unset | None, default: T) -> T:
    """Returns the value, or ``default`` if the field is null or missing."""
    present = or_none(value)
    return default if present is None else present


def or_unset(value: T | None) -> T | Unset:
    """Returns the value for a query or body; ``None`` becomes ``UNSET``, which is omitted."""
    return UNSET if value is None else value


def as_dict(value: object) -> dict[str, Any] | None:
    """Returns a generated or plain map as a dict; ``None`` if it is null or missing."""
    mapping: Any = or_none(value)
    if mapping is None:
        return None
    return dict(getattr(mapping, "additional_properties", mapping))


def as_utc(time: datetime) -> datetime:
    """Adds UTC to a time without a zone: some servers omit the ``Z``."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
