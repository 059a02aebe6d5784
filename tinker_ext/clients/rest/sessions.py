"""Sessions and samplers: looked up, searched, moved, their traces exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext import tracing, types
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
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from tinker_api import models

    from tinker_ext.runtime.concurrency.futures import APIFuture

# Seconds between two looks at a trace that is being built; release 0.38.0.
TRACE_EXPORT_INTERVAL = 5.0
_EXPORT = "get_session_trace_export"
_TOKEN = "create_auth_token"


class SessionCalls(RestClientBase):
    """The part of `RestClient` that looks after sessions. Servers before 0.24.1 have none of it."""

    def get_session(
        self, session_id: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.GetSessionResponse]:
        """What was made in a session."""
        require_id(session_id, "session_id")
        check_scope(access_scope)
        return self._call(
            "get_session",
            lambda gateway: gateway.get_session(session_id, access_scope),
            types.GetSessionResponse.from_api,
        )

    def list_sessions(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None
    ) -> APIFuture[types.ListSessionsResponse]:
        """A page of sessions, newest first."""
        check_page(limit, offset)
        check_scope(access_scope)
        return self._call(
            "list_sessions",
            lambda gateway: gateway.list_sessions(limit, offset, access_scope),
            types.ListSessionsResponse.from_api,
        )

    def search_sessions(
        self, request: types.SessionSearchRequest
    ) -> APIFuture[types.SessionSearchResponse]:
        """A page of the sessions that a search finds, newest first.

        For the next page send the request again with `cursor` set to the page's `next_cursor`.
        Experimental in release 0.38.0: servers may change it.
        """
        body = request.to_api()
        return self._call(
            "search_sessions",
            lambda gateway: gateway.search_sessions(body),
            types.SessionSearchResponse.from_api,
        )

    def assign_session_project(self, session_id: str, project_id: str) -> APIFuture[None]:
        """Put a session, and what was made in it, into a project."""
        require_id(session_id, "session_id")
        require_id(project_id, "project_id")
        return self._call(
            "set_session_project",
            lambda gateway: gateway.set_session_project(session_id, project_id),
            lambda _: None,
        )

    def export_session_trace(self, session_id: str) -> APIFuture[str]:
        """Have the server build a Perfetto trace of a session; the signed address to fetch it from.

        Raises:
            RequestFailedError: from the future; the trace can't be built.
            DeadlineExceededError: from the future; it took longer than `future_timeout`.
        """
        require_id(session_id, "session_id")
        with tracing.operation(_EXPORT):
            return self._core.start(self._exported(session_id), lambda url: url)

    def get_sampler(self, sampler_id: str) -> APIFuture[types.GetSamplerResponse]:
        """What a sampling session, by its id, samples from."""
        require_id(sampler_id, "sampler_id")
        return self._call(
            "get_sampler",
            lambda gateway: gateway.get_sampler(sampler_id),
            types.GetSamplerResponse.from_api,
        )

    def whoami(self) -> APIFuture[types.WhoamiResponse]:
        """Who the key belongs to, as the token says that the server gave for it.

        Raises:
            NotFoundError: from the future; the server gives no tokens (before 0.32.0).
        """
        with tracing.operation(_TOKEN):
            return self._core.start(self._claims(), types.WhoamiResponse.from_claims)

    async def get_session_async(
        self, session_id: str, access_scope: AccessScope | None = None
    ) -> types.GetSessionResponse:
        return await self.get_session(session_id, access_scope)

    async def list_sessions_async(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None
    ) -> types.ListSessionsResponse:
        return await self.list_sessions(limit, offset, access_scope)

    async def search_sessions_async(
        self, request: types.SessionSearchRequest
    ) -> types.SessionSearchResponse:
        return await self.search_sessions(request)

    async def assign_session_project_async(self, session_id: str, project_id: str) -> None:
        await self.assign_session_project(session_id, project_id)

    async def export_session_trace_async(self, session_id: str) -> str:
        return await self.export_session_trace(session_id)

    async def get_sampler_async(self, sampler_id: str) -> types.GetSamplerResponse:
        return await self.get_sampler(sampler_id)

    async def whoami_async(self) -> types.WhoamiResponse:
        return await self.whoami()

    async def _claims(self) -> dict[str, Any]:
        connection = self._core.connection
        await connection.gateway()
        key = await connection.keys.current()
        claims = {} if key is None else read_claims(key.reveal())
        if "sub" not in claims:  # A key, which says nothing of anybody.
            token = await self._core.call(_TOKEN, lambda gateway: gateway.create_auth_token())
            claims = read_claims(token.reveal())
        if not {"sub", "org_id"} <= claims.keys():
            raise APIResponseValidationError("the token names nobody", operation=_TOKEN)
        return claims

    async def _exported(self, session_id: str) -> str:
        clock, limit = self._core.poller.retrier.clock, self._core.config.future_timeout
        started, told = clock.now(), False
        while True:
            found = await self._core.call(
                _EXPORT, lambda gateway: gateway.get_session_trace_export(session_id)
            )
            if found.status == "ready":
                return _url(found)
            if found.status == "failed":
                raise RequestFailedError(
                    f"session {session_id}: "
                    f"{or_none(found.error) or 'the server does not say why'}",
                    operation=_EXPORT,
                )
            if clock.now() + TRACE_EXPORT_INTERVAL - started >= limit:
                raise DeadlineExceededError(
                    "no trace", last_seen=found.status, deadline=limit, operation=_EXPORT
                )
            if not told:
                log.info("the trace of session %s is being built, which takes a while", session_id)
                told = True
            await clock.sleep(TRACE_EXPORT_INTERVAL)


def _url(found: models.SessionTraceExportPollResponse) -> str:
    url = or_none(found.url)
    if not url:
        raise APIResponseValidationError(
            "the trace is ready, and the answer does not say where", operation=_EXPORT
        )
    return url
