"""The clients for training runs, checkpoints and sessions, and for administration."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.client_base import async_result
from tinker_ext.clients.rest._rest_base import (
    AccessScope,
    RestClientBase,
    check_page,
    check_scope,
    require_id,
)
from tinker_ext.clients.rest.checkpoints import CheckpointCalls
from tinker_ext.errors import (
    APIResponseValidationError,
    DeadlineExceededError,
    InvalidInputError,
    RequestFailedError,
)
from tinker_ext.rules.token_validity import read_claims
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.transport.auth import exchange_key, read_token
from tinker_ext.types.structuring import or_none, or_unset

AuditEventType: TypeAlias = Literal["all", "checkpoints", "projects", "teams", "organizations"]

# Seconds between polls for a trace export (0.38.0).
TRACE_EXPORT_INTERVAL = 5.0
_EXPORT = "get_session_trace_export"
_TOKEN = "create_auth_token"
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


class RestClient(CheckpointCalls, AdminCalls):
    """Reads and manages training runs, checkpoints and sessions. It needs no session of its own.

    Create it with `ServiceClient.create_rest_client`, or directly with the settings of a
    `ServiceClient`. Every method returns a future; the `*_async` names return its value. An
    `access_scope` is "owned" or "accessible" (includes resources shared by other users); servers
    before 0.24.1 don't support it, so it is sent only if it is given; they have no methods for
    sessions and samplers either.

    Example:
        >>> for run in rest.list_training_runs().result().training_runs:
        ...     print(run.training_run_id, run.base_model)
    """

    def get_server_capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        """The models that the server offers."""
        return self._call(
            operations.get_server_capabilities(), types.GetServerCapabilitiesResponse.from_api
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

    def get_session(
        self, session_id: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.GetSessionResponse]:
        """The training runs and samplers of a session."""
        require_id(session_id, "session_id")
        check_scope(access_scope)
        return self._call(
            operations.get_session(session_id, access_scope=or_unset(access_scope)),
            types.GetSessionResponse.from_api,
        )

    get_session_async = async_result(get_session)

    def list_sessions(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None
    ) -> APIFuture[types.ListSessionsResponse]:
        """A page of sessions, newest first."""
        check_page(limit, offset)
        check_scope(access_scope)
        return self._call(
            operations.list_sessions(
                limit=limit, offset=offset, access_scope=or_unset(access_scope)
            ),
            types.ListSessionsResponse.from_api,
        )

    list_sessions_async = async_result(list_sessions)

    def search_sessions(
        self, request: types.SessionSearchRequest
    ) -> APIFuture[types.SessionSearchResponse]:
        """A page of the sessions that match a search, newest first.

        For the next page, repeat the request with `cursor` set to the page's `next_cursor`.
        Experimental in release 0.38.0: servers may change it.
        """
        body = request.to_api()
        return self._call(
            operations.search_sessions(body=body), types.SessionSearchResponse.from_api
        )

    search_sessions_async = async_result(search_sessions)

    def assign_session_project(self, session_id: str, project_id: str) -> APIFuture[None]:
        """Move a session, its training runs and its samplers into a project."""
        require_id(session_id, "session_id")
        require_id(project_id, "project_id")
        return self._call(
            operations.set_session_project(
                session_id, body=models.SessionProjectRequest(project_id=project_id)
            ),
            lambda _: None,
        )

    assign_session_project_async = async_result(assign_session_project)

    def export_session_trace(self, session_id: str) -> APIFuture[str]:
        """Export a Perfetto trace of a session; the result is the signed URL to download it from.

        Raises:
            RequestFailedError: from the future; the export failed.
            DeadlineExceededError: from the future; the export took longer than `future_timeout`.
        """
        require_id(session_id, "session_id")
        with tracing.operation(_EXPORT):
            return self._core.start(self._export(session_id), lambda url: url)

    export_session_trace_async = async_result(export_session_trace)

    def get_sampler(self, sampler_id: str) -> APIFuture[types.GetSamplerResponse]:
        """The weights that a sampling session samples from."""
        require_id(sampler_id, "sampler_id")
        return self._call(operations.get_sampler(sampler_id), types.GetSamplerResponse.from_api)

    get_sampler_async = async_result(get_sampler)

    def whoami(self) -> APIFuture[types.WhoamiResponse]:
        """The owner of the key, read from the token that the server issues for it.

        Raises:
            NotFoundError: from the future; the server issues no tokens (before 0.32.0).
        """
        with tracing.operation(_TOKEN):
            return self._core.start(self._claims(), types.WhoamiResponse.from_claims)

    whoami_async = async_result(whoami)

    def get_own_api_key(self) -> APIFuture[types.OwnApiKeyResponse]:
        """The name and the owner of the API key that the client uses.

        Raises:
            AuthenticationError: from the future; the server rejects the key.
            NotFoundError: from the future; the server does not describe keys (before 0.32.0).
        """
        return self._call(operations.get_own_api_key(), types.OwnApiKeyResponse.from_api)

    get_own_api_key_async = async_result(get_own_api_key)

    def delete_own_api_key(self) -> APIFuture[None]:
        """Delete the API key that the client uses, on the server. It can't be restored."""
        return self._call(operations.delete_own_api_key(), lambda _: None)

    delete_own_api_key_async = async_result(delete_own_api_key)

    async def _claims(self) -> dict[str, Any]:
        connection = self._core.connection
        await connection.gateway()
        key = await connection.keys.current()
        claims = {} if key is None else read_claims(key.reveal())
        if "sub" not in claims:  # It is an API key, which has no claims.
            request = exchange_key()
            token = read_token(request, await self._core.call(request))
            claims = read_claims(token.reveal())
        if not {"sub", "org_id"} <= claims.keys():
            raise APIResponseValidationError(
                "the token has no sub or org_id claim", operation=_TOKEN
            )
        return claims

    async def _export(self, session_id: str) -> str:
        clock, limit = self._core.connection.retrier.clock, self._core.config.future_timeout
        started, logged = clock.now(), False
        while True:
            response = await self._core.call(operations.get_session_trace_export(session_id))
            if response.status == "ready":
                return _url(response)
            if response.status == "failed":
                raise RequestFailedError(
                    f"the trace export of session {session_id} failed: "
                    f"{or_none(response.error) or 'the server gave no reason'}",
                    operation=_EXPORT,
                )
            if clock.now() + TRACE_EXPORT_INTERVAL - started >= limit:
                raise DeadlineExceededError(
                    "the trace export is not complete",
                    last_seen=response.status,
                    deadline=limit,
                    operation=_EXPORT,
                )
            if not logged:
                log.info("the server is exporting the trace of session %s", session_id)
                logged = True
            await clock.sleep(TRACE_EXPORT_INTERVAL)


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


def _url(response: models.SessionTraceExportPollResponse) -> str:
    url = or_none(response.url)
    if not url:
        raise APIResponseValidationError(
            "the trace is ready but the response has no url", operation=_EXPORT
        )
    return url
