"""Retrieves results, with long polling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.execution.results import failure
from tinker_ext.embedded.request_body import JSON, PROTOBUF
from tinker_ext.embedded.routes.call import json_response

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.routes.call import Call


# Size in bytes above which a client that allows it first gets the size of a result only. For a
# smaller result, a second request costs more.
METADATA_ONLY_BYTES = 256 * 1024


async def retrieve_future(call: Call) -> Response:
    """The result, a failure, or "try again" if the request does not complete within the poll."""
    backend, request_id = call.backend, call.body["request_id"]
    if request_id not in backend.results:
        return await _respond(call, _result_not_in_memory(backend, request_id))
    result = backend.results.fetch(request_id)
    if result is None:
        await _wait_for_completion(call.request, backend, request_id)
        result = backend.results.fetch(request_id)
    return _try_again(backend, request_id) if result is None else await _respond(call, result)


async def retrieve_futures(call: Call) -> Response:
    """The completed samples of a sampling session; if there are none, waits for one."""
    target = call.body["target"]
    scope = target["sampling_session_id"]
    if call.backend.samplers.get(scope) is None:
        raise RejectedRequestError(404, f"there is no sampling session {scope!r} on this server")
    max_wait = call.backend.poll_seconds
    timeout = call.body.get("timeout")
    completed, cursor = await call.backend.sampler.completed.since(
        (scope, int(target.get("cloned_sampler_id", 0))),
        call.number("prev_cursor") or 0,
        max_wait if timeout is None else min(timeout, max_wait),
    )
    completions = [request.to_json() for request in completed]
    return json_response({"completions": completions, "cursor": cursor})


async def _respond(call: Call, result: bytes) -> Response:
    """The result in the format that the client accepts, or its size only."""
    message = None
    if _accepts_protobuf(call):
        from tinker_ext.embedded.protobuf.results import to_protobuf

        message = await asyncio.to_thread(to_protobuf, result)
    content = result if message is None else message
    if call.body.get("allow_metadata_only") and len(content) > METADATA_ONLY_BYTES:
        size = {"status": "complete_metadata", "response_payload_size": len(content)}
        return json_response(size)
    return Response(content, media_type=JSON if message is None else PROTOBUF)


def _accepts_protobuf(call: Call) -> bool:
    """Whether the client accepts protobuf and the protocol has it."""
    operation = call.specification.operations["retrieve_future"]
    return PROTOBUF in call.request.headers.get("accept", "") and (
        PROTOBUF in operation.response_types
    )


async def _wait_for_completion(request: Request, backend: Backend, request_id: str) -> None:
    """Wait for the result until the poll times out or the client closes the connection."""
    completed = asyncio.ensure_future(backend.results.completed(request_id))
    # The body has been read, so the next message is the end of the connection.
    disconnected = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait(
            {completed, disconnected},
            timeout=backend.poll_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        completed.cancel()
        disconnected.cancel()


def _try_again(backend: Backend, request_id: str) -> Response:
    content = {"type": "try_again", "request_id": request_id, "queue_state": "active"}
    reason = backend.models.waiting_for(request_id)
    if reason is not None:
        content["queue_state_reason"] = reason
    return json_response(content)


def _result_not_in_memory(backend: Backend, request_id: str) -> bytes:
    """The stored result of a request that is not in memory, or a failure if it was interrupted.

    Raises:
        RejectedRequestError: the id is unknown (404), or the result is no longer stored (410).
    """
    record = backend.requests.get(request_id)
    if record is not None and record.result is not None:
        return record.result
    if backend.results.was_evicted(request_id):
        raise RejectedRequestError(410, f"the result of request {request_id!r} is no longer stored")
    if record is not None:
        return failure(
            f"the {record.kind} request {request_id!r} was interrupted by a restart of the server; "
            "training since the model's last checkpoint is lost: load the checkpoint and continue",
            "user",
        )
    scope = backend.sampler.scope_of_earlier_start(request_id)
    if scope is not None and backend.samplers.get(scope) is not None:
        raise RejectedRequestError(
            410, f"request {request_id!r} was sent before a restart of the server; send it again"
        )
    raise RejectedRequestError(404, f"there is no request {request_id!r} on this server")
