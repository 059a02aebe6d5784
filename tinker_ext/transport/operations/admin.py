"""Operations for administrators: audit log, billing and storage usage."""

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
from tinker_ext.transport.operations.base import Operations
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from datetime import date, datetime


@frozen
class AdminOperations(Operations):
    """Audit log, billing and storage usage."""

    async def get_audit_log(
        self, event_type: models.AuditEventType, day: date | None
    ) -> models.AuditLogResponse:
        """Follows a redirect to the storage that holds the log."""
        return await self.send_for(
            models.AuditLogResponse,
            Call("get_audit_log", follows_redirect=True),
            get_audit_log,
            event_type=event_type,
            day=or_unset(day),
        )

    async def get_billing_usage(
        self, starting_on: datetime, ending_before: datetime
    ) -> models.BillingUsageResponse:
        return await self.send_for(
            models.BillingUsageResponse,
            Call("get_billing_usage"),
            get_billing_usage,
            starting_on=starting_on,
            ending_before=ending_before,
        )

    async def get_checkpoint_storage_usage(
        self, project_id: str | None
    ) -> models.CurrentCheckpointStorageUsageResponse:
        return await self.send_for(
            models.CurrentCheckpointStorageUsageResponse,
            Call("get_checkpoint_storage_usage"),
            get_checkpoint_storage_usage,
            project_id=or_unset(project_id),
        )
