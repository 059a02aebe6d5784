"""The service itself, its sessions, and telemetry."""

from __future__ import annotations

from attrs import frozen
from tinker_api import models
from tinker_api.api.service import get_health, get_server_capabilities
from tinker_api.api.sessions import create_session, session_heartbeat
from tinker_api.api.telemetry import send_telemetry

from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations, answer, value

# Seconds; releases 0.4.1 and 0.38.0. Heartbeats must not pile up.
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0


@frozen
class ServiceOperations(Operations):
    """What a server offers, and the frame around a client's work."""

    async def get_server_capabilities(self) -> models.GetServerCapabilitiesResponse:
        call = Call("get_server_capabilities")
        sent = get_server_capabilities.asyncio_detailed(client=self.client)
        return await value(call, sent, models.GetServerCapabilitiesResponse)

    async def get_health(self) -> models.HealthResponse:
        sent = get_health.asyncio_detailed(client=self.client)
        return await value(Call("get_health"), sent, models.HealthResponse)

    async def create_session(
        self, body: models.CreateSessionRequest
    ) -> models.CreateSessionResponse:
        sent = create_session.asyncio_detailed(client=self.client, body=body)
        return await value(self.change("create_session"), sent, models.CreateSessionResponse)

    async def session_heartbeat(self, session_id: str) -> None:
        body = models.SessionHeartbeatRequest(session_id=session_id)
        sent = session_heartbeat.asyncio_detailed(client=self.client, body=body)
        await answer(self.change("session_heartbeat", timeout=HEARTBEAT_TIMEOUT), sent)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        sent = send_telemetry.asyncio_detailed(client=self.client, body=body)
        await answer(Call("send_telemetry", timeout=TELEMETRY_TIMEOUT), sent)
