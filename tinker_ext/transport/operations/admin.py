"""What administrators ask: the audit log, and what was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from tinker_api import models
from tinker_api.api.admin import (
    get_audit_log,
    get_billing_usage,
    get_checkpoint_storage_usage,
)

from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations, send_for
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from datetime import date, datetime


@frozen
class AdminOperations(Operations):
    """The audit log, billing and storage."""

    async def get_audit_log(
        self, event_type: models.AuditEventType, day: date | None
    ) -> models.AuditLogResponse:
        """The log itself may be in a storage that the server only points to."""
        sent = get_audit_log.asyncio_detailed(
            client=self.client, event_type=event_type, day=or_unset(day)
        )
        call = Call("get_audit_log", follows_redirect=True)
        return await send_for(call, sent, models.AuditLogResponse)

    async def get_billing_usage(
        self, starting_on: datetime, ending_before: datetime
    ) -> models.BillingUsageResponse:
        sent = get_billing_usage.asyncio_detailed(
            client=self.client, starting_on=starting_on, ending_before=ending_before
        )
        return await send_for(Call("get_billing_usage"), sent, models.BillingUsageResponse)

    async def get_checkpoint_storage_usage(
        self, project_id: str | None
    ) -> models.CurrentCheckpointStorageUsageResponse:
        sent = get_checkpoint_storage_usage.asyncio_detailed(
            client=self.client, project_id=or_unset(project_id)
        )
        call = Call("get_checkpoint_storage_usage")
        return await send_for(call, sent, models.CurrentCheckpointStorageUsageResponse)
