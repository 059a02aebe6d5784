"""What administrators are told: who did what, and what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from tinker_ext.types.unset import as_dict, as_utc, or_default, or_none

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api import models as api


@frozen
class AuditLogEntry:
    """One event; `event_details` is what there is to say of it.

    `model_id`, `tinker_path` and `purpose` are what older servers say in place of details.
    """

    timestamp: datetime
    event: str
    event_details: dict[str, Any] = field(factory=dict)
    model_id: str | None = None
    tinker_path: str | None = None
    purpose: str | None = None

    @classmethod
    def from_api(cls, model: api.AuditLogEntry) -> AuditLogEntry:
        """Read an entry."""
        return cls(
            timestamp=as_utc(model.timestamp),
            event=model.event,
            event_details=as_dict(model.event_details) or {},
            model_id=or_none(model.model_id),
            tinker_path=or_none(model.tinker_path),
            purpose=or_none(model.purpose),
        )


@frozen
class AuditLogResponse:
    """The events of a day."""

    entries: list[AuditLogEntry]

    @classmethod
    def from_api(cls, model: api.AuditLogResponse) -> AuditLogResponse:
        """Read a day; a missing list becomes empty."""
        return cls([AuditLogEntry.from_api(one) for one in or_default(model.entries, [])])


@frozen
class CurrentCheckpointStorageUsageItem:
    """What one user keeps in one project now, in bytes and in US dollars a month."""

    checkpoint_count: int
    size_bytes: int
    size_gigabytes: float
    project_id: str | None = None
    org_user_urn: str | None = None
    user_email: str | None = None
    user_name: str | None = None
    estimated_monthly_cost_usd: float | None = None

    @classmethod
    def from_api(
        cls, model: api.CurrentCheckpointStorageUsageItem
    ) -> CurrentCheckpointStorageUsageItem:
        """Read an entry."""
        return cls(
            checkpoint_count=model.checkpoint_count,
            size_bytes=model.size_bytes,
            size_gigabytes=model.size_gigabytes,
            project_id=or_none(model.project_id),
            org_user_urn=or_none(model.org_user_urn),
            user_email=or_none(model.user_email),
            user_name=or_none(model.user_name),
            estimated_monthly_cost_usd=or_none(model.estimated_monthly_cost_usd),
        )


@frozen
class CurrentCheckpointStorageUsageResponse:
    """What is kept now, and what a gigabyte costs a month."""

    data: list[CurrentCheckpointStorageUsageItem]
    effective_rate_usd_per_gigabyte_month: float | None = None

    @classmethod
    def from_api(
        cls, model: api.CurrentCheckpointStorageUsageResponse
    ) -> CurrentCheckpointStorageUsageResponse:
        """Read an answer; a missing list becomes empty."""
        return cls(
            [CurrentCheckpointStorageUsageItem.from_api(one) for one in or_default(model.data, [])],
            or_none(model.effective_rate_usd_per_gigabyte_month),
        )
