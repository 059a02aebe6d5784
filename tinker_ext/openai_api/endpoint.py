"""The routes of the endpoint."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tinker_ext.errors import TinkerError
from tinker_ext.openai_api.bodies import Completion, SampleSpec, event, parse
from tinker_ext.openai_api.errors import EndpointError, endpoint_error, invalid_key
from tinker_ext.openai_api.samplers import Clients, complete
from tinker_ext.redaction.secret import Secret

if TYPE_CHECKING:
    from tinker_ext.clients.service import ServiceClient

    Handler = Callable[[Request, Secret | None], Awaitable[Response]]

logger = logging.getLogger("tinker_ext.openai_api")

#: The path of the hosted service.
PREFIX = "/oai/api/v1"
#: Bytes of the largest body, more than the longest context of any model; seconds to receive it.
MAX_BODY_BYTES, BODY_SECONDS = 32 * 1024 * 1024, 120.0
#: Seconds until a stream starts although its sample is not ready. An earlier failure has its own
#: status code; a later one is an event of the stream.
STREAM_START_SECONDS = 10.0
#: Seconds between comments in a waiting stream; some proxies close idle connections after 30.
KEEP_ALIVE_SECONDS = 15.0
#: The status code of nginx for a client that has disconnected.
DISCONNECTED = 499

_wait_first = partial(asyncio.wait, return_when=asyncio.FIRST_COMPLETED)


class OpenAIEndpoint:
    """Serves completions and chat completions from the samplers of one server.

    Args:
        open_service: opens a client with a key, or with the configured credentials (None).
        check: rejects a request by its headers; raises `EndpointError`.
        key: the key that callers must send; the server then receives the configured credentials.
            None: each caller's key is sent to the server, which checks it.
        tokenizer_id: a folder or a hub repository with the tokenizer of all models. None selects
            the tokenizer of each base model.
        stream_start: seconds until a stream starts although its sample is not ready.
    """

    def __init__(
        self,
        open_service: Callable[[Secret | None], ServiceClient],
        *,
        check: Callable[[Request], object] = lambda request: None,
        key: Secret | None = None,
        tokenizer_id: str | None = None,
        stream_start: float = STREAM_START_SECONDS,
    ) -> None:
        self._clients = Clients(open_service)
        self._check, self._key, self._stream_start = check, key, stream_start
        self._tokenizer_id = tokenizer_id

    def routes(self) -> list[Route]:
        """The routes to add to an application."""
        chat, text = partial(self._respond, chat=True), partial(self._respond, chat=False)
        return [
            Route(f"{PREFIX}/chat/completions", self._guarded(chat), methods=["POST"]),
            Route(f"{PREFIX}/completions", self._guarded(text), methods=["POST"]),
            Route(f"{PREFIX}/models", self._guarded(self._models), methods=["GET"]),
        ]

    async def close(self) -> None:
        """Close the clients, which cancels pending samples."""
        await self._clients.close()

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Check the headers, and convert errors to responses."""

        async def guarded(request: Request) -> Response:
            try:
                self._check(request)
                return await handler(request, self._authenticate(request))
            except ClientDisconnect:
                return Response(status_code=DISCONNECTED)
            except Exception as error:
                rejection = _rejection(error, request.url.path)
            return _json(rejection.body(), rejection.status, rejection.headers)

        return guarded

    def _authenticate(self, request: Request) -> Secret | None:
        """The key for the server; None for the configured credentials."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise invalid_key("The header Authorization must have the form: Bearer KEY.")
        if self._key is None:
            return Secret(key.strip())
        if not hmac.compare_digest(self._key.reveal().encode(), key.strip().encode()):
            raise invalid_key("The key is not the one that this endpoint was started with.")
        return None

    async def _models(self, request: Request, key: Secret | None) -> Response:
        async with self._clients.client(key) as client:
            capabilities = await client.service.get_server_capabilities_async()
        about = {"object": "model", "created": 0, "owned_by": "tinker"}
        models = [{"id": model.model_name, **about} for model in capabilities.supported_models]
        return _json({"object": "list", "data": models})

    async def _respond(self, request: Request, key: Secret | None, *, chat: bool) -> Response:
        """Wait for the samples, or until the client disconnects, which cancels them."""
        spec = parse(await _read_json(request), chat=chat)
        job = asyncio.create_task(self._complete(key, spec))
        gone = asyncio.create_task(_disconnected(request))
        streaming = False
        try:
            await _wait_first({job, gone}, timeout=self._stream_start if spec.stream else None)
            if gone.done() and not job.done():
                return Response(status_code=DISCONNECTED)
            if job.done():
                completion = await job  # Raises its error before a stream starts.
                if not spec.stream:
                    return _json(completion.body())
            streaming = True
            events = _events(job, gone, request.url.path)
            return StreamingResponse(events, media_type="text/event-stream")
        finally:
            if not streaming:
                await _cancel(job, gone)

    async def _complete(self, key: Secret | None, spec: SampleSpec) -> Completion:
        async with self._clients.sampler(key, spec.model) as sampler:
            return await complete(sampler, spec, self._tokenizer_id)


def _rejection(error: Exception, path: str) -> EndpointError:
    """The error to respond with; one that is not the caller's is logged."""
    if isinstance(error, EndpointError | TinkerError):
        return endpoint_error(error)
    logger.error("the request to %s failed", path, exc_info=error)
    return EndpointError(500, f"internal error: {type(error).__name__}")


async def _events(
    job: asyncio.Task[Completion], gone: asyncio.Task[None], path: str
) -> AsyncIterator[bytes]:
    try:
        while not job.done() and not gone.done():
            yield b": waiting for the sample\n\n"
            await _wait_first({job, gone}, timeout=KEEP_ALIVE_SECONDS)
        if job.done():
            for part in (await job).events():
                yield part
    except Exception as error:
        yield event(_rejection(error, path).body())
    finally:
        await _cancel(job, gone)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read_json(request: Request) -> object:
    """The body of a request. Web pages of other sites can't send its content type."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise EndpointError(415, f"Content-Type {media_type!r}: expected application/json.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise EndpointError(413, f"The body exceeds {MAX_BODY_BYTES} bytes.")
        return orjson.loads(body)
    except TimeoutError:
        raise EndpointError(408, f"The body did not arrive in {BODY_SECONDS:g} s.") from None
    except orjson.JSONDecodeError as error:
        raise EndpointError(400, f"The body is not valid JSON: {error}.") from None


def _json(content: object, status: int = 200, headers: Any = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
