"""The service itself, its sessions, and telemetry."""

from __future__ import annotations

import os
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.configuration import get_client_config, get_client_dynamic_config
from tinker_api.api.service import get_health, get_server_capabilities
from tinker_api.api.sessions import create_session, finish_session, session_heartbeat
from tinker_api.api.telemetry import send_telemetry

from tinker_ext.protocol.flags import RELEASES
from tinker_ext.transport.call import Call
from tinker_ext.transport.encoding import read_body
from tinker_ext.transport.operations.base import Operations, send, send_for
from tinker_ext.types.unset import or_unset
from tinker_ext.version import sdk_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Seconds; releases 0.4.1 and 0.38.0. Heartbeats must not pile up.
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0
# Seconds; 0.38.0 gives its question for dynamic flags as much. Ours for the end of a session, which
# somebody waits for who wants to leave.
CONFIG_TIMEOUT = 10.0
FINISH_TIMEOUT = 5.0


@cache
def _process_uuid(pid: int) -> str:
    """Tells apart the processes that share a session; a fork is another one."""
    return str(uuid.uuid4())


@frozen
class ServiceOperations(Operations):
    """What a server offers, and the frame around a client's work."""

    async def get_client_config(self) -> Any:
        """What the server asks of its clients, as decoded JSON: which flags it sends tells much."""
        body = models.ClientConfigRequest(sdk_version=sdk_version(RELEASES[-1]))
        sent = get_client_config.asyncio_detailed(client=self.client, body=body)
        call = evolve(self.change("get_client_config", timeout=CONFIG_TIMEOUT), credential="key")
        found = await send(call, sent)
        return read_body(found.content)

    async def get_client_dynamic_config(self) -> Any:
        """What of that may change while a client runs, as decoded JSON."""
        body = models.ClientConfigRequest(sdk_version=sdk_version(RELEASES[-1]))
        sent = get_client_dynamic_config.asyncio_detailed(client=self.client, body=body)
        found = await send(self.change("get_client_dynamic_config", timeout=CONFIG_TIMEOUT), sent)
        return read_body(found.content)

    async def get_server_capabilities(self) -> models.GetServerCapabilitiesResponse:
        call = Call("get_server_capabilities")
        sent = get_server_capabilities.asyncio_detailed(client=self.client)
        return await send_for(call, sent, models.GetServerCapabilitiesResponse)

    async def get_health(self) -> models.HealthResponse:
        sent = get_health.asyncio_detailed(client=self.client)
        return await send_for(Call("get_health"), sent, models.HealthResponse)

    async def create_session(
        self,
        tags: Sequence[str],
        user_metadata: Mapping[str, str],
        project_id: str | None,
        display_name: str | None,
    ) -> models.CreateSessionResponse:
        body = models.CreateSessionRequest(
            tags=list(tags),
            user_metadata=models.UserMetadata.from_dict(dict(user_metadata)),
            project_id=or_unset(project_id),
            display_name=or_unset(display_name),
            sdk_version=sdk_version(self.dialect.release),
        )
        sent = create_session.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("create_session"), sent, models.CreateSessionResponse)

    async def session_heartbeat(self, session_id: str) -> None:
        body = models.SessionHeartbeatRequest(session_id=session_id)
        sent = session_heartbeat.asyncio_detailed(client=self.client, body=body)
        await send(self.change("session_heartbeat", timeout=HEARTBEAT_TIMEOUT), sent)

    async def finish_session(
        self, session_id: str, reason: models.SessionFinishRequestReasonType, detail: str | None
    ) -> None:
        body = models.SessionFinishRequest(
            reason=models.SessionFinishRequestReason(type_=reason), detail=detail
        )
        sent = finish_session.asyncio_detailed(session_id, client=self.client, body=body)
        await send(self.change("finish_session", timeout=FINISH_TIMEOUT), sent)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        body.sdk_version = sdk_version(self.dialect.release)
        if self.dialect.sends("send_telemetry", "process_uuid"):
            body.process_uuid = _process_uuid(os.getpid())
        sent = send_telemetry.asyncio_detailed(client=self.client, body=body)
        await send(Call("send_telemetry", timeout=TELEMETRY_TIMEOUT), sent)
