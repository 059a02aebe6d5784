"""A loopback server that records requests and the responses of any responder to them."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import httpx
import uvicorn
import zstandard
from attrs import frozen
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

# Hop-by-hop headers (RFC 9110 section 7.6.1), and headers that each hop recomputes.
HOP_HEADERS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "te"}
JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
START_SECONDS = 30.0
# Longer than any server holds a poll: some hold it until a model is compiled.
RESPONSE_SECONDS = 600.0


@frozen
class Message:
    """The headers and the body of a request or response.

    Header names are lower case, and several values of one header are joined.
    """

    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def decoded(self) -> bytes:
        """The decompressed body; zstd is the only encoding that clients use.

        Raises:
            zstandard.ZstdError: the body is not zstd although its headers say so.
        """
        if self.headers.get("content-encoding") == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)
        return self.body


@frozen
class Request:
    """A request. `path` is not decoded: `%2F` and `/` differ."""

    method: str
    path: str
    query: str
    message: Message


@frozen
class Response:
    """A response."""

    status: int
    message: Message


@frozen
class Exchange:
    """A request and its response."""

    request: Request
    response: Response


class Responder(Protocol):
    """Responds to requests."""

    async def __call__(self, request: Request) -> Response: ...

    async def close(self) -> None: ...


class Recording:
    """The URL to send requests to, and the recorded exchanges in the order of the responses."""

    def __init__(self, url: str, exchanges: list[Exchange]) -> None:
        self.url = url
        self.exchanges = exchanges


@contextmanager
def recording(responder: Responder) -> Iterator[Recording]:
    """Listen on a free loopback port and pass requests to `responder` until the context exits."""
    exchanges: list[Exchange] = []

    async def endpoint(http_request: HttpRequest) -> HttpResponse:
        request = Request(
            method=http_request.method,
            path=http_request.scope["raw_path"].decode("ascii"),
            query=http_request.scope["query_string"].decode("ascii"),
            message=Message(_joined(http_request), await http_request.body()),
        )
        response = await responder(request)
        exchanges.append(Exchange(request, response))
        return HttpResponse(response.message.body, response.status, response.message.headers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await responder.close()

    route = Route("/{path:path}", endpoint, methods=METHODS)
    app = Starlette(routes=[route], lifespan=lifespan)
    with _serving(app) as url:
        yield Recording(url, exchanges)


class Forwarder:
    """Forwards requests to another server. Redirects are returned, not followed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._http: httpx.AsyncClient | None = None

    async def __call__(self, request: Request) -> Response:
        if self._http is None:  # created here, in the event loop of the recording
            limits = httpx.Limits(max_connections=None)
            self._http = httpx.AsyncClient(timeout=RESPONSE_SECONDS, limits=limits, trust_env=False)
        query = f"?{request.query}" if request.query else ""
        upstream = await self._http.request(
            request.method,
            httpx.URL(self._target, raw_path=(request.path + query).encode()),
            headers=_end_to_end(request.message.headers),
            content=request.message.body,
        )
        headers = _end_to_end(dict(upstream.headers))
        headers.pop("content-encoding", None)  # httpx has decoded the body
        return Response(upstream.status_code, Message(headers, upstream.content))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()


def _end_to_end(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in HOP_HEADERS}


def _joined(http_request: HttpRequest) -> dict[str, str]:
    """Repeated headers as one comma-separated list (RFC 9110 section 5.3)."""
    return {name: ", ".join(http_request.headers.getlist(name)) for name in http_request.headers}


@contextmanager
def _serving(app: Starlette) -> Iterator[str]:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        ws="none",
        log_level="critical",
        access_log=False,
        # An SDK that exited during a poll leaves a request without a reader.
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the recording server did not start")
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
