"""Clients with either transport, and a server that responds to every request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tinker_ext.config import ClientConfig
from tinker_ext.transport.connections import build_gateway
from tinker_ext.transport.operations import Operation, Request
from tinker_ext.transport.response import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.wire.raw_server import Peer
    from tinker_ext.transport.gateway import Gateway


class Probe:
    """Sends any request with a gateway, as an operation of the API."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Any = None,
        **options: Any,
    ) -> Response:
        """Return the response to a request; `options` are those of `Operation`."""

        def build_request() -> dict[str, Any]:
            built: dict[str, Any] = {"method": method, "url": path}
            if params is not None:
                built["params"] = params
            if json is not None:
                built["json"] = json
            if content is not None:
                built["content"] = BytesIO(content)
            return built

        endpoint: Any = SimpleNamespace(
            __name__="api.probe", build_request=build_request, parse_response=None
        )
        operation: Operation[[], Response] = Operation(endpoint, **options).parsed_by(
            lambda response: response
        )
        return await self.gateway.send(Request(operation))


@asynccontextmanager
async def client_of(transport: str, url: str, **more: Any) -> AsyncIterator[Probe]:
    """A gateway to a server, to send any request."""
    config = ClientConfig.resolve(
        api_key="tml-test", base_url=url, http_transport=transport, **more
    )
    gateway = build_gateway(config, url)
    try:
        yield Probe(gateway)
    finally:
        await gateway.close()


class Polite:
    """Responds to each request, and records the request heads."""

    def __init__(self, headers: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.headers = headers

    def __call__(self, peer: Peer) -> None:
        while head := peer.request():
            self.heads.append(head)
            peer.respond(headers=self.headers)
