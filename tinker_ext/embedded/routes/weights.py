"""Saving and loading what a model has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.routes.sampling import sampling_session_id
from tinker_ext.embedded.routes.training import submit

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def save_weights(call: Call) -> Response:
    act = call.backend.training.save_weights(call.body.get("path"), call.seq_id())
    return submit(call, "save_weights", act)


async def load_weights(call: Call) -> Response:
    return submit(call, "load_weights", call.backend.training.load_weights(call.body["path"]))


async def save_weights_for_sampler(call: Call) -> Response:
    number = call.number("sampling_session_seq_id")
    sampler = None
    if number is not None:
        # A model nobody knows is refused by `submit`, so its session does not matter.
        run = call.backend.runs.get(call.body["model_id"])
        session_id = call.body["model_id"] if run is None else run.session_id
        sampler = sampling_session_id(session_id, number)
    act = call.backend.training.save_weights_for_sampler(
        call.body.get("path"), sampler, call.seq_id()
    )
    return submit(call, "save_weights_for_sampler", act)
