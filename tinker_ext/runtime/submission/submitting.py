"""Submits a request and waits for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext import tracing
from tinker_ext.transport.results import FetchedResult

if TYPE_CHECKING:
    from tinker_api import models

    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.transport.request import Request


async def submit(core: ClientCore, request: Request[models.UntypedAPIFuture]) -> FetchedResult:
    """Submit one request and return its result."""
    future = await core.call(request)
    request_id = str(future.request_id)  # Some servers use numbers.
    tracing.append_id(tracing.REQUEST_ID, request_id)
    body = await core.poller.wait(request_id, operation=request.operation.name)
    return FetchedResult(body, request_id)
