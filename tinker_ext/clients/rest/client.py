"""The client for training runs, checkpoints and sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tinker_ext import types
from tinker_ext.clients.client_base import async_result
from tinker_ext.clients.rest._rest_base import (
    AccessScope,
    RestClientBase,
    check_page,
    check_scope,
    require_id,
)
from tinker_ext.clients.rest.checkpoints import CheckpointCalls
from tinker_ext.clients.rest.sessions import SessionCalls
from tinker_ext.errors import InvalidInputError
from tinker_ext.transport import operations
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture

AuditEventType: TypeAlias = Literal["all", "checkpoints", "projects", "teams", "organizations"]

# The longest period of one usage request (0.38.0).
LONGEST_USAGE = timedelta(days=14)


class AdminCalls(RestClientBase):
    """The methods of `AdminClient`, which belonged to `RestClient` before release 0.32.0."""

    def get_audit_log(
        self, event_type: AuditEventType = "all", day: date | None = None
    ) -> APIFuture[types.AuditLogResponse]:
        """The events of one day (UTC), by default today."""
        if event_type not in get_args(AuditEventType):
            allowed = ", ".join(get_args(AuditEventType))
            raise InvalidInputError(
                f"expected one of {allowed}, got {event_type!r}", where="event_type"
            )
        if isinstance(day, datetime):
            day = day.date()
        return self._call(
            operations.get_audit_log(event_type=event_type, day=or_unset(day)),
            types.AuditLogResponse.from_api,
        )

    get_audit_log_async = async_result(get_audit_log)

    def get_billing_usage(
        self, starting_on: datetime | str, ending_before: datetime | str
    ) -> APIFuture[types.BillingUsageResponse]:
        """The usage in a period of at most 14 days, by hour.

        Both ends are full hours (UTC), as datetimes (naive ones are UTC) or RFC 3339 text.
        """
        start = _full_hour(starting_on, "starting_on")
        end = _full_hour(ending_before, "ending_before")
        if not timedelta(0) < end - start <= LONGEST_USAGE:
            raise InvalidInputError(
                "expected a time after starting_on and at most 14 days later, "
                f"got {ending_before!r}",
                where="ending_before",
            )
        return self._call(
            operations.get_billing_usage(starting_on=start, ending_before=end),
            types.BillingUsageResponse.from_api,
        )

    get_billing_usage_async = async_result(get_billing_usage)

    def get_current_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> APIFuture[types.CurrentCheckpointStorageUsageResponse]:
        """The current storage usage by project and user, optionally of one project."""
        return self._call(
            operations.get_checkpoint_storage_usage(project_id=or_unset(project_id)),
            types.CurrentCheckpointStorageUsageResponse.from_api,
        )

    get_current_checkpoint_storage_usage_async = async_result(get_current_checkpoint_storage_usage)


class RestClient(CheckpointCalls, SessionCalls, AdminCalls):
    """Reads and manages training runs, checkpoints and sessions. It needs no session of its own.

    Create it with `ServiceClient.create_rest_client`, or directly with the settings of a
    `ServiceClient`. Every method returns a future; the `*_async` names return its value. An
    `access_scope` is "owned" or "accessible" (includes resources shared by other users); servers
    before 0.24.1 don't support it, so it is sent only if it is given.

    Example:
        >>> for run in rest.list_training_runs().result().training_runs:
        ...     print(run.training_run_id, run.base_model)
    """

    def get_server_capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        """The models that the server offers."""
        return self._call(
            operations.get_server_capabilities(),
            types.GetServerCapabilitiesResponse.from_api,
        )

    get_server_capabilities_async = async_result(get_server_capabilities)

    def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.TrainingRun]:
        """One training run."""
        require_id(training_run_id, "training_run_id")
        check_scope(access_scope)
        return self._call(
            operations.get_training_run(training_run_id, access_scope=or_unset(access_scope)),
            types.TrainingRun.from_api,
            run=training_run_id,
        )

    get_training_run_async = async_result(get_training_run)

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.TrainingRun]:
        """The training run that a checkpoint belongs to."""
        check_scope(access_scope)
        return self._call_for(
            "get_training_run",
            tinker_path,
            lambda run, *_: operations.get_training_run(run, access_scope=or_unset(access_scope)),
            types.TrainingRun.from_api,
        )

    get_training_run_by_tinker_path_async = async_result(get_training_run_by_tinker_path)

    def list_training_runs(
        self,
        limit: int = 20,
        offset: int = 0,
        access_scope: AccessScope | None = None,
        project_id: str | None = None,
    ) -> APIFuture[types.TrainingRunsResponse]:
        """A page of training runs, newest first, optionally of one project."""
        check_page(limit, offset)
        check_scope(access_scope)
        return self._call(
            operations.list_training_runs(
                limit=limit,
                offset=offset,
                access_scope=or_unset(access_scope),
                project_id=or_unset(project_id),
            ),
            types.TrainingRunsResponse.from_api,
        )

    list_training_runs_async = async_result(list_training_runs)


class AdminClient(AdminCalls):
    """Reads the audit log, billing and storage usage of an organization.

    Takes the settings of a `ServiceClient`; the key must be an administrator's. Every method
    returns a future; the `*_async` names return its value.

    Example:
        >>> for entry in AdminClient().get_audit_log().result().entries:
        ...     print(entry.timestamp, entry.event)
    """


def _full_hour(value: datetime | str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise InvalidInputError(f"expected a time as RFC 3339, got {value!r}", where) from None
    time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    if time != time.replace(minute=0, second=0, microsecond=0):
        raise InvalidInputError(f"expected a full hour (UTC), got {time.isoformat()}", where)
    return time
