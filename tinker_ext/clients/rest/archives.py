"""The URL of a checkpoint's archive, read from a redirect or from a body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from attrs import evolve
from tinker_api import models

from tinker_ext import types
from tinker_ext.clients.result_decoding import response_decoder
from tinker_ext.errors import APIResponseValidationError
from tinker_ext.types.unset import or_default

# The lifetime of an archive's URL if the response has none (0.4.1).
DEFAULT_ARCHIVE_LIFETIME = timedelta(minutes=15)

#: The headers of a redirect, or a body.
ArchiveResponse: TypeAlias = Mapping[str, str] | models.CheckpointArchiveUrlResponse


def archive_url(response: ArchiveResponse, now: datetime) -> types.CheckpointArchiveUrlResponse:
    """The URL and its expiry, from a redirect's headers or from a body (release 0.25.0)."""
    if isinstance(response, models.CheckpointArchiveUrlResponse):
        from_api = types.CheckpointArchiveUrlResponse.from_api
        archive = response_decoder("get_checkpoint_archive_url", from_api)(response)
        return evolve(archive, expires=or_default(archive.expires, now + DEFAULT_ARCHIVE_LIFETIME))
    url = response.get("location")
    if not url:
        raise APIResponseValidationError(
            "the redirect has no Location header", operation="get_checkpoint_archive_url"
        )
    return types.CheckpointArchiveUrlResponse(url, _expiry(response.get("expires"), now))


def _expiry(value: str | None, now: datetime) -> datetime:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return now + DEFAULT_ARCHIVE_LIFETIME
    return date if date.tzinfo else date.replace(tzinfo=UTC)
