"""Lookup of existing sessions and samplers."""

from __future__ import annotations

from attrs import frozen
from tinker_api import models
from tinker_api.api.sampling import get_sampler
from tinker_api.api.sessions import (
    get_session,
    get_session_trace_export,
    list_sessions,
    search_sessions,
    set_session_project,
)

from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations
from tinker_ext.types.unset import or_unset


@frozen
class SessionOperations(Operations):
    """Sessions and samplers. An `access_scope` of None is not sent."""

    async def get_session(
        self, session_id: str, access_scope: models.AccessScope | None
    ) -> models.GetSessionResponse:
        return await self.send_for(
            models.GetSessionResponse,
            Call("get_session"),
            get_session,
            session_id,
            access_scope=or_unset(access_scope),
        )

    async def list_sessions(
        self, limit: int, offset: int, access_scope: models.AccessScope | None
    ) -> models.ListSessionsResponse:
        return await self.send_for(
            models.ListSessionsResponse,
            Call("list_sessions"),
            list_sessions,
            limit=limit,
            offset=offset,
            access_scope=or_unset(access_scope),
        )

    async def search_sessions(
        self, body: models.SessionSearchRequest
    ) -> models.SessionSearchResponse:
        call = self.mutating_call("search_sessions")
        return await self.send_for(models.SessionSearchResponse, call, search_sessions, body=body)

    async def set_session_project(self, session_id: str, project_id: str) -> None:
        body = models.SessionProjectRequest(project_id=project_id)
        call = self.mutating_call("set_session_project")
        await self.send(call, set_session_project, session_id, body=body)

    async def get_session_trace_export(
        self, session_id: str
    ) -> models.SessionTraceExportPollResponse:
        return await self.send_for(
            models.SessionTraceExportPollResponse,
            Call("get_session_trace_export"),
            get_session_trace_export,
            session_id,
        )

    async def get_sampler(self, sampler_id: str) -> models.GetSamplerResponse:
        call = Call("get_sampler")
        return await self.send_for(models.GetSamplerResponse, call, get_sampler, sampler_id)
