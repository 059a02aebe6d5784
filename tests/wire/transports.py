"""Clients with either transport, and a server that answers whatever is asked."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tinker_ext.config import ClientConfig
from tinker_ext.transport.build import build_client
from tinker_ext.transport.call import Call, call_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.wire.raw_server import Peer


@asynccontextmanager
async def client_of(transport: str, url: str, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The client that the generated functions are given, in the middle of a call."""
    config = ClientConfig.resolve(
        api_key="tml-test", base_url=url, http_transport=transport, **more
    )
    http = build_client(config, url).get_async_httpx_client()
    try:
        with call_context(Call("probe")):
            yield http
    finally:
        await http.aclose()


class Polite:
    """Answers one request after the other, and keeps their heads."""

    def __init__(self, headers: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.headers = headers

    def __call__(self, peer: Peer) -> None:
        while head := peer.request():
            self.heads.append(head)
            peer.respond(headers=self.headers)
