"""Responses of the administration endpoints: the audit log and checkpoint storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from tinker_ext.types.structuring import ResponseType, required


@frozen
class AuditLogEntry(ResponseType):
    """One audit log event with its details.

    Older servers send `model_id`, `tinker_path` and `purpose` instead of `event_details`. Fields
    are None if the server sends no valid value.
    """

    timestamp: datetime
    event: str
    event_details: dict[str, Any] = field(factory=dict)
    model_id: str | None = None
    tinker_path: str | None = None
    purpose: str | None = None


@frozen
class AuditLogResponse(ResponseType):
    """The audit log of one day."""

    entries: list[AuditLogEntry]


@frozen
class CurrentCheckpointStorageUsageItem(ResponseType):
    """One user's checkpoint storage in one project: bytes, and US dollars per month."""

    checkpoint_count: int = field(metadata=required())
    size_bytes: int = field(metadata=required())
    size_gigabytes: float = field(metadata=required())
    project_id: str | None = None
    org_user_urn: str | None = None
    user_email: str | None = None
    user_name: str | None = None
    estimated_monthly_cost_usd: float | None = None


@frozen
class CurrentCheckpointStorageUsageResponse(ResponseType):
    """The checkpoints stored now, and the monthly price of a gigabyte."""

    data: list[CurrentCheckpointStorageUsageItem]
    effective_rate_usd_per_gigabyte_month: float | None = None
