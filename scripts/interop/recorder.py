"""A server that keeps what is said to it and what is answered, whoever answers."""

from __future__ import annotations

import threading
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol

import httpx
import uvicorn
import zstandard
from attrs import frozen
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

# A hop's own headers (RFC 9110 section 7.6.1), and those that each hop computes anew.
HOP_HEADERS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "te"}
JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
START_SECONDS = 30.0
# Longer than any server holds a poll.
ANSWER_SECONDS = 120.0


@frozen
class Message:
    """A request or an answer: headers (names in lower case, several values joined) and body."""

    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def decoded(self) -> bytes:
        """The body without its compression, of which clients know one kind.

        Raises:
            zstandard.ZstdError: it does not have the form that its headers say.
        """
        if self.headers.get("content-encoding") == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)
        return self.body


@frozen
class Asked:
    """A request as it came in. `path` is as it was sent, where `%2F` and `/` are two things."""

    method: str
    path: str
    query: str
    message: Message


@frozen
class Answered:
    """An answer."""

    status: int
    message: Message


@frozen
class Exchange:
    """A request and its answer."""

    asked: Asked
    answered: Answered


class Responder(Protocol):
    """Whoever answers."""

    async def __call__(self, asked: Asked) -> Answered: ...

    async def close(self) -> None: ...


class Recording:
    """Where to send requests, and what went through, in the order of the answers."""

    def __init__(self, url: str, exchanges: list[Exchange]) -> None:
        self.url = url
        self.exchanges = exchanges


@contextmanager
def recording(responder: Responder) -> Iterator[Recording]:
    """Listen on a free loopback port, while the context lasts, and let `responder` answer."""
    exchanges: list[Exchange] = []

    async def endpoint(request: Request) -> Response:
        asked = Asked(
            method=request.method,
            path=request.scope["raw_path"].decode("ascii"),
            query=request.scope["query_string"].decode("ascii"),
            message=Message(_joined(request), await request.body()),
        )
        answered = await responder(asked)
        exchanges.append(Exchange(asked, answered))
        return Response(answered.message.body, answered.status, answered.message.headers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await responder.close()

    route = Route("/{path:path}", endpoint, methods=METHODS)
    app = Starlette(routes=[route], lifespan=lifespan)
    with _serving(app) as url:
        yield Recording(url, exchanges)


class Forwarder:
    """Answers with what another server answers. Redirects are passed on, not followed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._http: httpx.AsyncClient | None = None

    async def __call__(self, asked: Asked) -> Answered:
        if self._http is None:  # made here, so that it belongs to the loop of the recording
            limits = httpx.Limits(max_connections=None)
            self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits, trust_env=False)
        query = f"?{asked.query}" if asked.query else ""
        answer = await self._http.request(
            asked.method,
            httpx.URL(self._target, raw_path=(asked.path + query).encode()),
            headers=_passed_on(asked.message.headers),
            content=asked.message.body,
        )
        headers = _passed_on(dict(answer.headers))
        headers.pop("content-encoding", None)  # httpx has undone it
        return Answered(answer.status_code, Message(headers, answer.content))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()


def _passed_on(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in HOP_HEADERS}


def _joined(request: Request) -> dict[str, str]:
    """A header sent twice means its values in one list (RFC 9110 section 5.3)."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}


@contextmanager
def _serving(app: Starlette) -> Iterator[str]:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        ws="none",
        log_level="critical",
        access_log=False,
        # An SDK that ended in the middle of a poll leaves a request behind; nobody waits for it.
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
