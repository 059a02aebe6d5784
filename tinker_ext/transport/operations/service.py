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
from tinker_ext.transport.operations.base import Operations
from tinker_ext.types.unset import or_unset
from tinker_ext.version import sdk_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Seconds; releases 0.4.1 and 0.38.0. Heartbeats must not pile up.
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0
# Seconds; 0.38.0 allows the same for its request of dynamic flags.
CONFIG_TIMEOUT = 10.0
# Seconds; ours. `close()` waits for the end of the session.
FINISH_TIMEOUT = 5.0


@cache
def _process_uuid(pid: int) -> str:
    """Distinguishes the processes that share a session; a forked process gets its own."""
    return str(uuid.uuid4())


@frozen
class ServiceOperations(Operations):
    """Configuration and health of the server, sessions, and telemetry."""

    async def get_client_config(self) -> Any:
        """The server's flags for clients, as decoded JSON. Sends the user's own key."""
        body = models.ClientConfigRequest(sdk_version=sdk_version(RELEASES[-1]))
        call = self.mutating_call("get_client_config", timeout=CONFIG_TIMEOUT)
        call = evolve(call, credential="key")
        response = await self.send(call, get_client_config, body=body)
        return read_body(response.content)

    async def get_client_dynamic_config(self) -> Any:
        """The flags that may change while a client runs, as decoded JSON."""
        body = models.ClientConfigRequest(sdk_version=sdk_version(RELEASES[-1]))
        call = self.mutating_call("get_client_dynamic_config", timeout=CONFIG_TIMEOUT)
        response = await self.send(call, get_client_dynamic_config, body=body)
        return read_body(response.content)

    async def get_server_capabilities(self) -> models.GetServerCapabilitiesResponse:
        return await self.send_for(
            models.GetServerCapabilitiesResponse,
            Call("get_server_capabilities"),
            get_server_capabilities,
        )

    async def get_health(self) -> models.HealthResponse:
        return await self.send_for(models.HealthResponse, Call("get_health"), get_health)

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
            sdk_version=sdk_version(self.protocol.release),
        )
        call = self.mutating_call("create_session")
        return await self.send_for(models.CreateSessionResponse, call, create_session, body=body)

    async def session_heartbeat(self, session_id: str) -> None:
        body = models.SessionHeartbeatRequest(session_id=session_id)
        call = self.mutating_call("session_heartbeat", timeout=HEARTBEAT_TIMEOUT)
        await self.send(call, session_heartbeat, body=body)

    async def finish_session(
        self, session_id: str, reason: models.SessionFinishRequestReasonType, detail: str | None
    ) -> None:
        body = models.SessionFinishRequest(
            reason=models.SessionFinishRequestReason(type_=reason), detail=detail
        )
        call = self.mutating_call("finish_session", timeout=FINISH_TIMEOUT)
        await self.send(call, finish_session, session_id, body=body)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        body.sdk_version = sdk_version(self.protocol.release)
        if self.protocol.sends("send_telemetry", "process_uuid"):
            body.process_uuid = _process_uuid(os.getpid())
        call = Call("send_telemetry", timeout=TELEMETRY_TIMEOUT)
        await self.send(call, send_telemetry, body=body)
