"""Gradients and optimizer steps, in the order of ``seq_id``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.routes.call import submitted

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.work.training import Act


async def forward(call: Call) -> Response:
    return submit(call, "forward", call.backend.training.forward(call.body["forward_input"]))


async def forward_backward(call: Call) -> Response:
    given = call.body["forward_backward_input"]
    return submit(call, "forward_backward", call.backend.training.forward_backward(given))


async def optim_step(call: Call) -> Response:
    return submit(call, "optim_step", call.backend.training.optim_step(call.body["adam_params"]))


def submit(call: Call, kind: str, act: Act) -> Response:
    """Queue work on the model that the body names."""
    run_id = call.body["model_id"]
    request_id = call.backend.models.submit(run_id, kind, call.seq_id(), act)
    return submitted(request_id, run_id)
