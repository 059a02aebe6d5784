"""Hourly usage and its estimated cost, the audit log, and checkpoint storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.types.records import Record
from tinker_ext.types.structuring import ResponseType, converted_by, decoded_as, required


@frozen
class TrainingBillingEvent(ResponseType):
    """Training tokens."""

    token_count: int = field(metadata=required())
    type: Literal["training"] = "training"


@frozen
class SamplingPrefillBillingEvent(ResponseType):
    """Prompt tokens; `cached` is True for tokens found in the server's prompt cache."""

    cached: bool
    token_count: int = field(metadata=required())
    type: Literal["sampling_prefill"] = "sampling_prefill"


@frozen
class SamplingSampleBillingEvent(ResponseType):
    """Sampled tokens."""

    token_count: int = field(metadata=required())
    type: Literal["sampling_sample"] = "sampling_sample"


@frozen
class CheckpointBillingEvent(ResponseType):
    """Saved checkpoints."""

    count: int = field(metadata=required())
    type: Literal["checkpoint"] = "checkpoint"


@frozen
class StorageBillingEvent(ResponseType):
    """Checkpoint storage in gigabyte-hours; `free` storage costs nothing."""

    gigabyte_hours: float = field(metadata=required())
    free: bool = False
    type: Literal["storage"] = "storage"


@frozen
class OtherBillingEvent(Record):
    """A kind of usage that this release does not know, as sent by the server."""

    type: str
    content: dict[str, Any] = field(factory=dict)


BillingEventInfo: TypeAlias = (
    TrainingBillingEvent
    | SamplingPrefillBillingEvent
    | SamplingSampleBillingEvent
    | CheckpointBillingEvent
    | StorageBillingEvent
    | OtherBillingEvent
)

_decode_event = decoded_as(
    TrainingBillingEvent,
    SamplingPrefillBillingEvent,
    SamplingSampleBillingEvent,
    CheckpointBillingEvent,
    StorageBillingEvent,
    other=OtherBillingEvent,
)


@frozen
class BillingUsageEvent(ResponseType):
    """One kind of usage in one hour (UTC) of one user, session, project and base model.

    Costs and rates are in US dollars, before credits. Fields are None if the server sends no valid
    value.
    """

    bucket_start: datetime
    bucket_end: datetime
    event_info: BillingEventInfo = field(metadata=converted_by(_decode_event))
    base_model: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    session_id: str | None = None
    project_id: str | None = None
    estimated_cost_usd: float | None = None
    effective_rate_usd_per_million_tokens: float | None = None
    effective_rate_usd_per_gigabyte_month: float | None = None


@frozen
class BillingUsageSession(ResponseType):
    """The metadata of a session."""

    user_metadata: dict[str, str] | None = None


@frozen
class BillingUsageResponse(ResponseType):
    """The usage of a period, and the metadata of each session in it.

    Estimates before `cost_data_through` follow invoices, later ones published rates.
    """

    data: list[BillingUsageEvent]
    sessions: dict[str, BillingUsageSession] = field(factory=dict)
    cost_data_through: datetime | None = None


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
