"""The web application: checks each request, calls its handler and converts errors."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from tinker_ext.embedded.access import Access
from tinker_ext.embedded.checkpoints import archive
from tinker_ext.embedded.errors import (
    RejectedRequestError,
    describe_storage_error,
    storage_rejection,
)
from tinker_ext.embedded.flags import check_flags
from tinker_ext.embedded.protocols import ANY, specification_of
from tinker_ext.embedded.request_body import discard_body, has_body, is_protobuf, read_body
from tinker_ext.embedded.routes import HANDLERS
from tinker_ext.embedded.routes.call import Call, json_response
from tinker_ext.embedded.routes.checkpoints import download_archive, download_file
from tinker_ext.embedded.validation import decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from typing import TypeAlias

    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.validation import Operation, Specification

    Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
    Check: TypeAlias = Callable[[Request], object]

logger = logging.getLogger("tinker_ext.embedded")

# A retry of these responses would fail again.
MALFORMED = frozenset({400, 422})


@frozen
class Addition:
    """Routes that are served beside the API, and a function that is called on shutdown."""

    routes: Sequence[Route]
    close: Callable[[], Awaitable[None]]


def build_app(
    backend: Backend,
    protocol: str = ANY,
    access: Access | None = None,
    addition: Addition | None = None,
) -> Starlette:
    """Build the application for a backend, which it closes on shutdown.

    `protocol` is one of `PROTOCOLS`. `access` holds the names that requests may be addressed to.
    The routes of an `addition` check their requests themselves.

    Raises:
        RuntimeError: the backend requires tokens or sends flags, and the protocol has no tokens or
            not these flags.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        if addition is not None:
            await addition.close()
        await backend.close()

    access = access or Access()
    specification = specification_of(protocol)
    if missing := sorted(specification.operations.keys() - HANDLERS.keys()):
        raise RuntimeError(f"operations without a handler: {', '.join(missing)}")
    if backend.tokens.required and "create_auth_token" not in specification.operations:
        raise RuntimeError(f"release {protocol} has no tokens to demand")
    if backend.tokens.required and backend.flags.get("pjwt_auth_enabled") is False:
        raise RuntimeError("a server that requires tokens can't send pjwt_auth_enabled=false")
    check_flags(specification, backend.flags)
    routes = [
        _route(backend, specification, operation, access)
        for operation in specification.operations.values()
    ]

    async def download(request: Request) -> Response:
        return await download_archive(backend, request)

    async def download_one_file(request: Request) -> Response:
        return await download_file(backend, request)

    routes.append(Route(archive.ROUTE, _guarded(download, access.check), methods=["GET"]))
    routes.append(
        Route(archive.FILE_ROUTE, _guarded(download_one_file, access.check), methods=["GET"])
    )

    routes += addition.routes if addition is not None else ()

    async def http_error(request: Request, error: Exception) -> Response:
        """An unknown path or method, in the same form as the other errors."""
        assert isinstance(error, HTTPException)
        rejection = RejectedRequestError(error.status_code, error.detail, headers=error.headers)
        try:
            access.check(request)
        except RejectedRequestError as foreign:
            rejection = foreign
        return _rejection(rejection)

    app = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: http_error}
    )
    # A redirect would be sent before any check, to the host that the request names.
    app.router.redirect_slashes = False
    return app


def _route(
    backend: Backend, specification: Specification, operation: Operation, access: Access
) -> Route:
    handler = HANDLERS[operation.operation_id]

    def check(request: Request) -> None:
        access.check(request)
        backend.tokens.check(operation.operation_id, request.headers.get("X-API-Key"))
        if operation.takes_body and has_body(request):
            is_protobuf(request, operation)

    async def endpoint(request: Request) -> Response:
        with backend.body_budget.reservation() as reservation:
            raw = await read_body(request, reservation) if operation.takes_body else b""
            call = Call(
                backend,
                specification,
                request,
                query=operation.query(request.query_params),
                access=access,
            )
            if not operation.takes_body:
                return await handler(call)
            if raw and is_protobuf(request, operation):
                return await handler(evolve(call, message=raw, size=len(raw)))
            decoded = decode(raw)
            try:
                body = operation.check(decoded)
                return await handler(evolve(call, body=body, size=len(raw)))
            except RejectedRequestError as error:
                if error.status in MALFORMED:
                    _release_seq_id(backend, decoded)
                raise

    return Route(operation.path, _guarded(endpoint, check), methods=[operation.method])


def _guarded(endpoint: Endpoint, check: Check) -> Endpoint:
    """Convert rejections to responses, and other exceptions to a logged 500.

    `check` rejects a request by its headers, before its body is read into memory.
    """

    async def guarded(request: Request) -> Response:
        try:
            return await _checked(endpoint, check, request)
        except RejectedRequestError as error:
            return _rejection(error)
        except ClientDisconnect:
            return Response(status_code=400)  # the client has closed the connection
        except Exception as error:
            description = describe_storage_error(error)
            if description is not None:
                logger.warning("%s %s failed: %s", request.method, request.url.path, description)
                return _rejection(storage_rejection(description))
            logger.exception("%s %s failed", request.method, request.url.path)
            return json_response({"detail": f"internal error: {type(error).__name__}"}, 500)

    return guarded


async def _checked(endpoint: Endpoint, check: Check, request: Request) -> Response:
    try:
        check(request)
    except RejectedRequestError:
        await discard_body(request)
        raise
    return await endpoint(request)


def _rejection(error: RejectedRequestError) -> Response:
    response = json_response({"detail": error.detail}, error.status)
    response.headers.update(error.headers)
    return response


def _release_seq_id(backend: Backend, decoded: object) -> None:
    """Let the model's later requests proceed if a malformed request has a model id and seq_id."""
    if isinstance(decoded, dict):
        run_id, seq_id = decoded.get("model_id"), decoded.get("seq_id")
        if isinstance(run_id, str) and isinstance(seq_id, int):
            backend.models.skip_seq_id(run_id, seq_id)
