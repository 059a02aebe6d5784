"""One typed method per operation of the API, in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from tinker_ext.transport.operations.admin import AdminOperations
from tinker_ext.transport.operations.auth import AuthOperations
from tinker_ext.transport.operations.runs_and_checkpoints import UpkeepOperations
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
    UpkeepOperations,
    AdminOperations,
):
    """The API as methods: a value of the generated models, or a typed error. Retries nothing.

    Attributes:
        idempotency_key: sent with whatever changes state; one per logical call, the same on all
            of its attempts.
        dialect: what the server is known to speak; it decides the form of what is sent.
    """

    def with_idempotency_key(self, idempotency_key: str) -> Gateway:
        """The same gateway for the attempts of one logical call."""
        return evolve(self, idempotency_key=idempotency_key)

    def with_protocol(self, dialect: ServerProtocol) -> Gateway:
        """The same gateway for a server that speaks `dialect`."""
        return self if dialect == self.dialect else evolve(self, dialect=dialect)

    async def close(self) -> None:
        await self.client.get_async_httpx_client().aclose()
