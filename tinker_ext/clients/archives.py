"""Where a checkpoint's archive is: a redirect, read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# How long an archive's address holds when the server does not say; release 0.4.1.
DEFAULT_ARCHIVE_LIFE = timedelta(minutes=15)


def archive_url(headers: Mapping[str, str], now: datetime) -> types.CheckpointArchiveUrlResponse:
    """The address in a redirect's headers, and when it ends."""
    url = headers.get("location")
    if not url:
        raise APIResponseValidationError(
            "the answer names no location", operation="get_checkpoint_archive_url"
        )
    return types.CheckpointArchiveUrlResponse(url, _expiry(headers.get("expires"), now))


def _expiry(value: str | None, now: datetime) -> datetime:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return now + DEFAULT_ARCHIVE_LIFE
    return date if date.tzinfo else date.replace(tzinfo=UTC)
