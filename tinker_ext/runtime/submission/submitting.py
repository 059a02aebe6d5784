"""Submits a request and waits for its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tinker_api import models

from tinker_ext import tracing
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.results import FetchedResult

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore

Send = Callable[[Gateway], Awaitable[models.UntypedAPIFuture]]


async def submit(core: ClientCore, operation: str, send: Send) -> FetchedResult:
    """Submit one request and return its result."""
    future = await core.call(operation, send)
    request_id = str(future.request_id)  # Some servers use numbers.
    tracing.append_id(tracing.REQUEST_ID, request_id)
    body = await core.poller.wait(request_id, operation=operation)
    return FetchedResult(body, request_id)
