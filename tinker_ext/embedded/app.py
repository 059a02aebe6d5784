"""The web application: every operation of the specification, checked, handled, answered."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import evolve
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from tinker_ext.embedded.access import Access
from tinker_ext.embedded.checkpoints import archive
from tinker_ext.embedded.flags import check_flags
from tinker_ext.embedded.protocols import specification_of
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.releases import ANY
from tinker_ext.embedded.request_body import discard_body, has_body, is_protobuf, read_body
from tinker_ext.embedded.routes import HANDLERS
from tinker_ext.embedded.routes.call import Call, answer
from tinker_ext.embedded.routes.checkpoints import download_archive, download_file
from tinker_ext.embedded.storage import storage_problem, storage_refusal
from tinker_ext.embedded.validation import decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.validation import Operation, Specification

    Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
    Check: TypeAlias = Callable[[Request], object]

logger = logging.getLogger("tinker_ext.embedded")

# Refusals that will not be different the next time.
MALFORMED = frozenset({400, 422})


def build_app(backend: Backend, dialect: str = ANY, access: Access | None = None) -> Starlette:
    """The application in front of a backend, which it closes when it ends.

    `dialect` is one of `DIALECTS`. `access` has the names that requests may be addressed to.

    Raises:
        RuntimeError: the backend demands tokens or announces flags that the dialect's release has
            not got.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await backend.close()

    access = access or Access()
    specification = specification_of(dialect)
    if missing := sorted(specification.operations.keys() - HANDLERS.keys()):
        raise RuntimeError(f"operations without a handler: {', '.join(missing)}")
    if backend.tokens.demanded and "create_auth_token" not in specification.operations:
        raise RuntimeError(f"release {dialect} has no tokens to demand")
    if backend.tokens.demanded and backend.flags.get("pjwt_auth_enabled") is False:
        raise RuntimeError("a server that demands tokens can't say pjwt_auth_enabled=false")
    check_flags(specification, backend.flags)
    routes = [
        _route(backend, specification, operation, access)
        for operation in specification.operations.values()
    ]

    async def download(request: Request) -> Response:
        return await download_archive(backend, request)

    async def download_one(request: Request) -> Response:
        return await download_file(backend, request)

    routes.append(Route(archive.ROUTE, _guarded(download, access.check), methods=["GET"]))
    routes.append(Route(archive.FILE_ROUTE, _guarded(download_one, access.check), methods=["GET"]))
    return Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _http_error}
    )


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
        with backend.bodies.reservation() as reservation:
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
            except RejectedRequestError as refusal:
                if refusal.status in MALFORMED:
                    _release_turn(backend, decoded)
                raise

    return Route(operation.path, _guarded(endpoint, check), methods=[operation.method])


def _guarded(endpoint: Endpoint, check: Check) -> Endpoint:
    """Turn refusals into responses, and errors of the server into a logged 500.

    `check` refuses a request by its headers, before its body is kept.
    """

    async def guarded(request: Request) -> Response:
        try:
            return await _checked(endpoint, check, request)
        except RejectedRequestError as refusal:
            return _refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is left to read it
        except Exception as error:
            problem = storage_problem(error)
            if problem is not None:
                logger.warning("%s %s failed: %s", request.method, request.url.path, problem)
                return _refused(storage_refusal(problem))
            logger.exception("%s %s failed", request.method, request.url.path)
            return answer({"detail": f"internal error: {type(error).__name__}"}, 500)

    return guarded


async def _checked(endpoint: Endpoint, check: Check, request: Request) -> Response:
    try:
        check(request)
    except RejectedRequestError:
        await discard_body(request)
        raise
    return await endpoint(request)


def _refused(refusal: RejectedRequestError) -> Response:
    response = answer({"detail": refusal.detail}, refusal.status)
    response.headers.update(refusal.headers)
    return response


def _release_turn(backend: Backend, decoded: object) -> None:
    """A malformed request that names its model and number does not hold up those after it."""
    if isinstance(decoded, dict):
        run_id, seq_id = decoded.get("model_id"), decoded.get("seq_id")
        if isinstance(run_id, str) and isinstance(seq_id, int):
            backend.models.refuse(run_id, seq_id)


async def _http_error(request: Request, error: Exception) -> Response:
    """No such path, or not this method: in the shape of every other error."""
    assert isinstance(error, HTTPException)
    response = answer({"detail": error.detail}, error.status_code)
    response.headers.update(error.headers or {})
    return response
