"""Fetching results: the connection is held while the work runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from tinker_ext.embedded.execution.answers import failure
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.request_body import JSON, PROTOBUF
from tinker_ext.embedded.routes.call import answer

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.routes.call import Call


# Results larger than this are announced first where the client allows it; a smaller one costs less
# than asking twice. In bytes.
ANNOUNCED = 256 * 1024


async def retrieve_future(call: Call) -> Response:
    """The result; "try again" when it takes longer than a poll; how it failed; or why never."""
    backend, request_id = call.backend, call.body["request_id"]
    if request_id not in backend.results:
        return await _delivered(call, _absent(backend, request_id))
    found = backend.results.fetch(request_id)
    if found is None:
        await _settled_or_gone(call.request, backend, request_id)
        found = backend.results.fetch(request_id)
    return _try_again(backend, request_id) if found is None else await _delivered(call, found)


async def retrieve_futures(call: Call) -> Response:
    """Which samples of a sampling session have ended; waits until there is one to tell of."""
    target = call.body["target"]
    scope = target["sampling_session_id"]
    if call.backend.samplers.get(scope) is None:
        raise RejectedRequestError(404, f"there is no sampling session {scope!r} here")
    longest = call.backend.poll_seconds
    asked = call.body.get("timeout")
    found, cursor = await call.backend.sampler.completions.since(
        (scope, int(target.get("cloned_sampler_id", 0))),
        call.number("prev_cursor") or 0,
        longest if asked is None else min(asked, longest),
    )
    return answer({"completions": [one.described for one in found], "cursor": cursor})


async def _delivered(call: Call, found: bytes) -> Response:
    """The result in the form that the client reads, or its size."""
    message = None
    if _reads_messages(call):
        from tinker_ext.embedded.protobuf.results import as_message

        message = await asyncio.to_thread(as_message, found)
    content = found if message is None else message
    if call.body.get("allow_metadata_only") and len(content) > ANNOUNCED:
        size = {"status": "complete_metadata", "response_payload_size": len(content)}
        return answer(size)
    return Response(content, media_type=JSON if message is None else PROTOBUF)


def _reads_messages(call: Call) -> bool:
    """Whether the client asks for protobuf, and the dialect has it."""
    operation = call.specification.operations["retrieve_future"]
    return PROTOBUF in call.request.headers.get("accept", "") and (
        PROTOBUF in operation.answer_types
    )


async def _settled_or_gone(request: Request, backend: Backend, request_id: str) -> None:
    """Wait for the result, but neither longer than a poll lasts nor for a caller who left."""
    settled = asyncio.ensure_future(backend.results.settled(request_id))
    # The body has been read, so the next thing to hear from the connection is its end.
    left = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait(
            {settled, left},
            timeout=backend.poll_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        settled.cancel()
        left.cancel()


def _try_again(backend: Backend, request_id: str) -> Response:
    content = {"type": "try_again", "request_id": request_id, "queue_state": "active"}
    reason = backend.models.waiting_for(request_id)
    if reason is not None:
        content["queue_state_reason"] = reason
    return answer(content)


def _absent(backend: Backend, request_id: str) -> bytes:
    """The answer to a request that is neither at work nor in memory.

    Raises:
        RefusalError: the id was never given out (404), or its result is not kept any more (410).
    """
    record = backend.requests.get(request_id)
    if record is not None and record.answer is not None:
        return record.answer
    if backend.results.forgotten(request_id):
        raise RejectedRequestError(
            410, f"the result of request {request_id!r} is not kept any more"
        )
    if record is not None:
        return failure(
            f"the {record.kind} request {request_id!r} was cut off by a restart of the server; "
            "what the model had learned since its last checkpoint is lost, so load that and go on",
            "user",
        )
    scope = backend.sampler.of_earlier_start(request_id)
    if scope is not None and backend.samplers.get(scope) is not None:
        raise RejectedRequestError(
            410, f"request {request_id!r} was made before a restart: make it again"
        )
    raise RejectedRequestError(404, f"there is no request {request_id!r} here")
