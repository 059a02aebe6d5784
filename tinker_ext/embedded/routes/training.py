"""Submits forward and backward passes and optimizer steps, in the order of ``seq_id``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import RejectedRequestError, UserFailureError
from tinker_ext.embedded.execution.arrays import decode_loss_input
from tinker_ext.embedded.execution.provenance import with_recorded_logprobs
from tinker_ext.embedded.routes.call import submitted

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.execution.arrays import LossInput
    from tinker_ext.embedded.execution.training import Operation
    from tinker_ext.embedded.routes.call import Call


# Size in bytes above which a body is decoded in another thread: decoding takes 5 ms per megabyte.
LARGE_BODY = 500_000


async def forward(call: Call) -> Response:
    loss_input = await _loss_input(call, "forward_input")
    return submit(call, "forward", call.backend.training.forward(loss_input))


async def forward_backward(call: Call) -> Response:
    if call.message is not None:
        return await _submit_message(call, call.message)
    loss_input = await _loss_input(call, "forward_backward_input")
    return submit(call, "forward_backward", call.backend.training.forward_backward(loss_input))


async def optim_step(call: Call) -> Response:
    if call.body.get("adam_params") is None:
        message = "optimizer_params: this server supports adamw only; send adam_params"
        raise RejectedRequestError(400, message)
    settings = {name: float(value) for name, value in call.body["adam_params"].items()}
    return submit(call, "optim_step", call.backend.training.optim_step(settings))


def submit(call: Call, kind: str, operation: Operation) -> Response:
    """Queue an operation on the model that the body names."""
    run_id = call.body["model_id"]
    models = call.backend.models
    request_id = models.submit(run_id, kind, call.seq_id(), operation, size=call.size)
    return submitted(request_id, run_id)


async def _submit_message(call: Call, message: bytes) -> Response:
    """Queue the forward or forward_backward pass of a protobuf message."""
    from tinker_ext.embedded.protobuf.requests import decode_loss_request

    request = await asyncio.to_thread(decode_loss_request, message)
    training, models = call.backend.training, call.backend.models
    kind = "forward" if request.forward_only else "forward_backward"
    create = training.forward if request.forward_only else training.forward_backward
    operation = create(_with_recorded_logprobs(call, request.model_id, request.loss_input))
    request_id = models.submit(request.model_id, kind, request.seq_id, operation, size=call.size)
    return submitted(request_id, request.model_id)


async def _loss_input(call: Call, field: str) -> LossInput | UserFailureError:
    """Decode a request to arrays, which need a tenth of the memory of the decoded JSON."""
    params = call.body[field]
    if call.size < LARGE_BODY:
        loss_input = decode_loss_input(params)
    else:
        loss_input = await asyncio.to_thread(decode_loss_input, params)
    return _with_recorded_logprobs(call, call.body["model_id"], loss_input)


def _with_recorded_logprobs(
    call: Call, model_id: str, loss_input: LossInput | UserFailureError
) -> LossInput | UserFailureError:
    run = call.backend.runs.get(model_id)
    if isinstance(loss_input, UserFailureError) or run is None:
        return loss_input
    return with_recorded_logprobs(loss_input, call.backend.sampler.records, run.session_id)
