"""What was used, hour by hour, and what that is estimated to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.types.unset import as_dict, as_utc, or_default, or_none

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api import models as api


@frozen
class TrainingBillingEvent:
    """Tokens trained on."""

    token_count: int
    type: Literal["training"] = "training"


@frozen
class SamplingPrefillBillingEvent:
    """Tokens of prompts; `cached` ones were at hand already."""

    cached: bool
    token_count: int
    type: Literal["sampling_prefill"] = "sampling_prefill"


@frozen
class SamplingSampleBillingEvent:
    """Tokens sampled."""

    token_count: int
    type: Literal["sampling_sample"] = "sampling_sample"


@frozen
class CheckpointBillingEvent:
    """Checkpoints saved."""

    count: int
    type: Literal["checkpoint"] = "checkpoint"


@frozen
class StorageBillingEvent:
    """Checkpoints kept, in gigabytes times hours; `free` ones cost nothing."""

    gigabyte_hours: float
    free: bool = False
    type: Literal["storage"] = "storage"


@frozen
class OtherBillingEvent:
    """A kind of use that this release does not know, as the server wrote it."""

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


@frozen
class BillingUsageEvent:
    """One kind of use in one hour (UTC) of one user, session, project and base model.

    Costs and rates are in US dollars, before credits; None where they are not known.
    """

    bucket_start: datetime
    bucket_end: datetime
    event_info: BillingEventInfo
    base_model: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    session_id: str | None = None
    project_id: str | None = None
    estimated_cost_usd: float | None = None
    effective_rate_usd_per_million_tokens: float | None = None
    effective_rate_usd_per_gigabyte_month: float | None = None

    @classmethod
    def from_api(cls, model: api.BillingUsageEvent) -> BillingUsageEvent:
        """Read an event."""
        return cls(
            bucket_start=as_utc(model.bucket_start),
            bucket_end=as_utc(model.bucket_end),
            event_info=_info(model.event_info),
            base_model=or_none(model.base_model),
            user_id=or_none(model.user_id),
            user_name=or_none(model.user_name),
            session_id=or_none(model.session_id),
            project_id=or_none(model.project_id),
            estimated_cost_usd=or_none(model.estimated_cost_usd),
            effective_rate_usd_per_million_tokens=or_none(
                model.effective_rate_usd_per_million_tokens
            ),
            effective_rate_usd_per_gigabyte_month=or_none(
                model.effective_rate_usd_per_gigabyte_month
            ),
        )


@frozen
class BillingUsageSession:
    """What a session was labelled with."""

    user_metadata: dict[str, str] | None = None


@frozen
class BillingUsageResponse:
    """Use in a stretch of time, and of each session in it what it was labelled with.

    Estimates before `cost_data_through` follow invoices, later ones published rates.
    """

    data: list[BillingUsageEvent]
    sessions: dict[str, BillingUsageSession] = field(factory=dict)
    cost_data_through: datetime | None = None

    @classmethod
    def from_api(cls, model: api.BillingUsageResponse) -> BillingUsageResponse:
        """Read an answer; what is missing becomes empty."""
        through = or_none(model.cost_data_through)
        return cls(
            data=[BillingUsageEvent.from_api(one) for one in or_default(model.data, [])],
            sessions={
                session_id: BillingUsageSession(as_dict(one.user_metadata))
                for session_id, one in (as_dict(model.sessions) or {}).items()
            },
            cost_data_through=None if through is None else as_utc(through),
        )


def _info(model: Any) -> BillingEventInfo:
    from tinker_api import models as api

    match model:
        case api.TrainingBillingEvent():
            return TrainingBillingEvent(model.token_count)
        case api.SamplingPrefillBillingEvent():
            return SamplingPrefillBillingEvent(model.cached, model.token_count)
        case api.SamplingSampleBillingEvent():
            return SamplingSampleBillingEvent(model.token_count)
        case api.CheckpointBillingEvent():
            return CheckpointBillingEvent(model.count)
        case api.StorageBillingEvent():
            return StorageBillingEvent(model.gigabyte_hours, or_default(model.free, False))
    content = model.to_dict()
    return OtherBillingEvent(str(content.get("type", "")), content)
