"""Gradients and optimizer steps, in the order of ``seq_id``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tinker_ext.embedded.execution.arrays import loss_input
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.routes.call import submitted

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.execution.answers import UserFailureError
    from tinker_ext.embedded.execution.arrays import LossInput
    from tinker_ext.embedded.execution.training import Act
    from tinker_ext.embedded.routes.call import Call


# Bodies above this are turned into arrays on another thread, in bytes: it takes 5 ms a megabyte.
LARGE_BODY = 500_000


async def forward(call: Call) -> Response:
    given = await _loss_input(call, "forward_input")
    return submit(call, "forward", call.backend.training.forward(given))


async def forward_backward(call: Call) -> Response:
    if call.message is not None:
        return await _loss_of_message(call, call.message)
    given = await _loss_input(call, "forward_backward_input")
    return submit(call, "forward_backward", call.backend.training.forward_backward(given))


async def optim_step(call: Call) -> Response:
    if call.body.get("adam_params") is None:
        message = "optimizer_params: this server has the optimizer adamw only; send adam_params"
        raise RejectedRequestError(400, message)
    settings = {name: float(value) for name, value in call.body["adam_params"].items()}
    return submit(call, "optim_step", call.backend.training.optim_step(settings))


def submit(call: Call, kind: str, act: Act) -> Response:
    """Queue work on the model that the body names."""
    run_id = call.body["model_id"]
    request_id = call.backend.models.submit(run_id, kind, call.seq_id(), act, size=call.size)
    return submitted(request_id, run_id)


async def _loss_of_message(call: Call, message: bytes) -> Response:
    """A forward pass with or without a backward one, which a flag tells."""
    from tinker_ext.embedded.protobuf.requests import loss_request

    asked = await asyncio.to_thread(loss_request, message)
    training, models = call.backend.training, call.backend.models
    act = (training.forward if asked.forward_only else training.forward_backward)(asked.given)
    kind = "forward" if asked.forward_only else "forward_backward"
    request_id = models.submit(asked.model_id, kind, asked.seq_id, act, size=call.size)
    return submitted(request_id, asked.model_id)


async def _loss_input(call: Call, field: str) -> LossInput | UserFailureError:
    """The arrays of a request, which take a tenth of the room of what JSON became."""
    given = call.body[field]
    if call.size < LARGE_BODY:
        return loss_input(given)
    return await asyncio.to_thread(loss_input, given)
