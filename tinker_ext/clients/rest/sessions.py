"""Sessions and samplers: reading, searching, project assignment, trace export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from tinker_ext.errors import (
    APIResponseValidationError,
    DeadlineExceededError,
    RequestFailedError,
)
from tinker_ext.rules.token_validity import read_claims
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.types.unset import or_none, or_unset

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture

# Seconds between polls for a trace export (0.38.0).
TRACE_EXPORT_INTERVAL = 5.0
_EXPORT = "get_session_trace_export"
_TOKEN = "create_auth_token"


class SessionCalls(RestClientBase):
    """The session methods of `RestClient`; servers before 0.24.1 support none of them."""

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
            operations.search_sessions(body=body),
            types.SessionSearchResponse.from_api,
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
        return self._call(
            operations.get_sampler(sampler_id),
            types.GetSamplerResponse.from_api,
        )

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
        return self._call(
            operations.get_own_api_key(),
            types.OwnApiKeyResponse.from_api,
        )

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
            request = operations.create_auth_token()
            token = operations.read_token(request, await self._core.call(request))
            claims = read_claims(token.reveal())
        if not {"sub", "org_id"} <= claims.keys():
            raise APIResponseValidationError(
                "the token has no sub or org_id claim", operation=_TOKEN
            )
        return claims

    async def _export(self, session_id: str) -> str:
        clock, limit = self._core.poller.retrier.clock, self._core.config.future_timeout
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


def _url(response: models.SessionTraceExportPollResponse) -> str:
    url = or_none(response.url)
    if not url:
        raise APIResponseValidationError(
            "the trace is ready but the response has no url", operation=_EXPORT
        )
    return url
