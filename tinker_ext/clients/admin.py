"""What administrators ask: the audit log, and what was used and is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tinker_ext import types
from tinker_ext.clients.rest._rest_base import RestClientBase
from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture

AuditEventType: TypeAlias = Literal["all", "checkpoints", "projects", "teams", "organizations"]

# The longest stretch of use that is told at once; release 0.38.0.
LONGEST_USAGE = timedelta(days=14)


class AdminCalls(RestClientBase):
    """What `AdminClient` has; until release 0.32.0 it was `RestClient` that had it."""

    def get_audit_log(
        self, event_type: AuditEventType = "all", day: date | None = None
    ) -> APIFuture[types.AuditLogResponse]:
        """The events of one day (UTC); today's if none is named."""
        if event_type not in get_args(AuditEventType):
            known = ", ".join(get_args(AuditEventType))
            raise InvalidInputError(
                f"expected one of {known}, got {event_type!r}", where="event_type"
            )
        if isinstance(day, datetime):
            day = day.date()
        return self._call(
            "get_audit_log",
            lambda gateway: gateway.get_audit_log(event_type, day),
            types.AuditLogResponse.from_api,
        )

    def get_billing_usage(
        self, starting_on: datetime | str, ending_before: datetime | str
    ) -> APIFuture[types.BillingUsageResponse]:
        """What was used in a stretch of at most 14 days, by the hour.

        Both ends are full hours of UTC, as datetimes (UTC without a zone) or RFC 3339 text.
        """
        start = _full_hour(starting_on, "starting_on")
        end = _full_hour(ending_before, "ending_before")
        if not timedelta(0) < end - start <= LONGEST_USAGE:
            raise InvalidInputError(
                "expected a time after starting_on, at most 14 days", where="ending_before"
            )
        return self._call(
            "get_billing_usage",
            lambda gateway: gateway.get_billing_usage(start, end),
            types.BillingUsageResponse.from_api,
        )

    def get_current_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> APIFuture[types.CurrentCheckpointStorageUsageResponse]:
        """What is kept now, by project and user; of one project, if it is named."""
        return self._call(
            "get_checkpoint_storage_usage",
            lambda gateway: gateway.get_checkpoint_storage_usage(project_id),
            types.CurrentCheckpointStorageUsageResponse.from_api,
        )

    async def get_audit_log_async(
        self, event_type: AuditEventType = "all", day: date | None = None
    ) -> types.AuditLogResponse:
        return await self.get_audit_log(event_type, day)

    async def get_billing_usage_async(
        self, starting_on: datetime | str, ending_before: datetime | str
    ) -> types.BillingUsageResponse:
        return await self.get_billing_usage(starting_on, ending_before)

    async def get_current_checkpoint_storage_usage_async(
        self, project_id: str | None = None
    ) -> types.CurrentCheckpointStorageUsageResponse:
        return await self.get_current_checkpoint_storage_usage(project_id)


class AdminClient(AdminCalls):
    """Reads the audit log, the bill and the storage of an organization.

    Made with the settings of a `ServiceClient`; the key must be an administrator's. Every method
    returns a future; the `*_async` names return its value.

    Example:
        >>> for entry in AdminClient().get_audit_log().result().entries:
        ...     print(entry.timestamp, entry.event)
    """


def _full_hour(given: datetime | str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise InvalidInputError(f"expected a time as RFC 3339, got {given!r}", where) from None
    time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    if time != time.replace(minute=0, second=0, microsecond=0):
        raise InvalidInputError(f"expected a full hour of UTC, got {time.isoformat()}", where)
    return time
