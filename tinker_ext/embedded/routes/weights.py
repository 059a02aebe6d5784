"""Saving and loading what a model has learned."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from attrs import evolve

from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.execution.saving import SaveRequest
from tinker_ext.embedded.routes.call import answer, checkpoint_of, no_session, submitted
from tinker_ext.embedded.routes.models import new_run
from tinker_ext.embedded.routes.sampling import sampling_session_id
from tinker_ext.embedded.routes.training import submit
from tinker_ext.embedded.validation_errors import fault, unprocessable

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import RunRecord

# The optimizer's state is loaded too unless a client says no; clients of 0.4.1 cannot say.
LOADS_OPTIMIZER = True


async def save_weights(call: Call) -> Response:
    return submit(call, "save_weights", call.backend.training.save_weights(_wish(call)))


async def load_weights(call: Call) -> Response:
    """Into the model named, or into a new one of the session named."""
    optimizer = call.body.get("optimizer", LOADS_OPTIMIZER)
    if call.body.get("model_id") is None:
        return _create_from_weights(call, optimizer)
    act = call.backend.training.load_weights(call.body["path"], optimizer=optimizer)
    return submit(call, "load_weights", act)


async def save_weights_for_sampler(call: Call) -> Response:
    number = call.number("sampling_session_seq_id")
    sampler = None
    if number is not None:
        # A model nobody knows is refused by `submit`, so its session does not matter.
        run = call.backend.runs.get(call.body["model_id"])
        session_id = call.body["model_id"] if run is None else run.session_id
        sampler = sampling_session_id(session_id, number)
    act = call.backend.training.save_weights_for_sampler(_wish(call), sampler)
    return submit(call, "save_weights_for_sampler", act)


async def save_weights_external(call: Call) -> Response:
    if call.body.get("age_encryption_recipients"):
        message = "this server can't encrypt; leave it out"
        raise unprocessable([fault(("body", "age_encryption_recipients"), "value_error", message)])
    act = call.backend.training.save_weights_external(_wish(call))
    return submit(call, "save_weights_external", act)


async def copy_weights(call: Call) -> Response:
    """A checkpoint of a run of its own. Asked again under the same key, the same copy."""
    source, run = checkpoint_of(call.backend, call.body["source_path"], "source_path")
    copied = _copied_run(call, run)
    name = CheckpointName(copied.run_id, source.name.kind, source.name.name)
    if call.backend.runs.get(copied.run_id) is None:
        call.backend.runs.add(copied)
    if call.backend.checkpoints.get(name) is None:
        wish = SaveRequest(
            name.name, None, ttl_seconds=ttl(call), user_metadata=source.user_metadata
        )
        await asyncio.to_thread(call.backend.saving.copy, source, name, wish)
    return answer({"tinker_path": name.path})


def ttl(call: Call) -> int | None:
    """How long what is saved is kept, in seconds."""
    return call.number("ttl_seconds", at_least=1)


def _wish(call: Call) -> SaveRequest:
    metadata = call.body.get("user_metadata")
    return SaveRequest(
        path=call.body.get("path"),
        seq_id=call.seq_id(),
        ttl_seconds=ttl(call),
        overwrite=call.body.get("overwrite", False),
        user_metadata=None if metadata is None else dict(metadata),
    )


def _create_from_weights(call: Call, optimizer: bool) -> Response:
    missing = [name for name in ("session_id", "model_seq_id") if call.body.get(name) is None]
    if missing:
        message = "is required where there is no model_id"
        raise unprocessable([fault(("body", name), "missing", message) for name in missing])
    path = call.body["path"]
    _, source = checkpoint_of(call.backend, path, "path")
    run = new_run(call, call.body.get("base_model") or source.base_model, source.lora)
    if run.user_metadata is None:
        run = evolve(run, user_metadata=source.user_metadata)
    act = call.backend.training.create_from_weights(run, path, optimizer=optimizer)
    request_id = call.backend.models.create(run.run_id, act, "load_weights")
    return submitted(request_id, run.run_id)


def _copied_run(call: Call, run: RunRecord) -> RunRecord:
    """The run that a copy is put into: of the session named, else of its own."""
    session_id, number = call.body.get("session_id"), call.number("model_seq_id")
    if session_id is None:
        key = call.request.headers.get("x-idempotency-key", uuid.uuid4().hex)
        session_id = f"copy-{uuid.uuid5(uuid.NAMESPACE_URL, f'{run.run_id} {key}')}"
    elif call.backend.sessions.get(session_id) is None:
        raise no_session(session_id)
    return evolve(run, run_id=f"{session_id}:train:{number or 0}", session_id=session_id)
