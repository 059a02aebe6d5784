"""Sessions and samplers, as they are looked up afterwards."""

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
from tinker_ext.transport.operations.base import Operations, send, send_for
from tinker_ext.types.unset import or_unset


@frozen
class SessionOperations(Operations):
    """Sessions and samplers. An `access_scope` of None is not sent."""

    async def get_session(
        self, session_id: str, access_scope: models.AccessScope | None
    ) -> models.GetSessionResponse:
        sent = get_session.asyncio_detailed(
            session_id, client=self.client, access_scope=or_unset(access_scope)
        )
        return await send_for(Call("get_session"), sent, models.GetSessionResponse)

    async def list_sessions(
        self, limit: int, offset: int, access_scope: models.AccessScope | None
    ) -> models.ListSessionsResponse:
        sent = list_sessions.asyncio_detailed(
            client=self.client, limit=limit, offset=offset, access_scope=or_unset(access_scope)
        )
        return await send_for(Call("list_sessions"), sent, models.ListSessionsResponse)

    async def search_sessions(
        self, body: models.SessionSearchRequest
    ) -> models.SessionSearchResponse:
        sent = search_sessions.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("search_sessions"), sent, models.SessionSearchResponse)

    async def set_session_project(self, session_id: str, project_id: str) -> None:
        body = models.SessionProjectRequest(project_id=project_id)
        sent = set_session_project.asyncio_detailed(session_id, client=self.client, body=body)
        await send(self.change("set_session_project"), sent)

    async def get_session_trace_export(
        self, session_id: str
    ) -> models.SessionTraceExportPollResponse:
        sent = get_session_trace_export.asyncio_detailed(session_id, client=self.client)
        call = Call("get_session_trace_export")
        return await send_for(call, sent, models.SessionTraceExportPollResponse)

    async def get_sampler(self, sampler_id: str) -> models.GetSamplerResponse:
        sent = get_sampler.asyncio_detailed(sampler_id, client=self.client)
        return await send_for(Call("get_sampler"), sent, models.GetSamplerResponse)
