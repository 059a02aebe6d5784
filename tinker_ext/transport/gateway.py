"""The API as one object with one typed method per operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from tinker_ext.transport.operations.admin import AdminOperations
from tinker_ext.transport.operations.auth import AuthOperations
from tinker_ext.transport.operations.runs_and_checkpoints import RunOperations
from tinker_ext.transport.operations.sampling import SamplingOperations
from tinker_ext.transport.operations.service import ServiceOperations
from tinker_ext.transport.operations.sessions import SessionOperations
from tinker_ext.transport.operations.training import TrainingOperations
from tinker_ext.transport.operations.weights import WeightsOperations

if TYPE_CHECKING:
    from tinker_ext.protocol.server_protocol import ServerProtocol


@frozen
class Gateway(
    ServiceOperations,
    AuthOperations,
    SessionOperations,
    TrainingOperations,
    WeightsOperations,
    SamplingOperations,
    RunOperations,
    AdminOperations,
):
    """The API as methods that return generated models or raise typed errors. Retries nothing.

    Attributes:
        idempotency_key: sent with requests that change state; one per call, the same for all
            attempts.
        protocol: the requests that the server is known to accept; decides their encoding.
    """

    def with_idempotency_key(self, idempotency_key: str) -> Gateway:
        """A copy that sends this key, for the attempts of one call."""
        return evolve(self, idempotency_key=idempotency_key)

    def with_protocol(self, protocol: ServerProtocol) -> Gateway:
        """A copy for a server that accepts `protocol`."""
        return self if protocol == self.protocol else evolve(self, protocol=protocol)

    async def close(self) -> None:
        await self.client.get_async_httpx_client().aclose()
