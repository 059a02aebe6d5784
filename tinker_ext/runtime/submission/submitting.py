"""Submits a request and waits for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext import tracing
from tinker_ext.errors import APIResponseValidationError
from tinker_ext.transport.response import FetchedResult

if TYPE_CHECKING:
    from tinker_api import models

    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.transport.operations import Request


def read_request_id(operation: str, value: object) -> str:
    """The id of an accepted request as text. Some servers use integers.

    Raises:
        APIResponseValidationError: it is neither text nor an integer.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise APIResponseValidationError(
        f"request_id: expected text or an integer, got {type(value).__name__}",
        operation=operation,
    )


async def submit(core: ClientCore, request: Request[models.UntypedAPIFuture]) -> FetchedResult:
    """Submit one request and return its result."""
    future = await core.call(request)
    request_id = future.request_id
    if type(request_id) is not str:
        request_id = read_request_id(request.operation.name, request_id)
    if (traced := tracing.observed_operation.get()) is not None:
        traced.append(tracing.REQUEST_ID, request_id)
    body = await core.poller.wait(request_id, operation=request.operation.name)
    return FetchedResult(body, request_id)
