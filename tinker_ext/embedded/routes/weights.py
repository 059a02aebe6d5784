"""Saves, loads and copies weights."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from attrs import evolve

from tinker_ext.embedded.checkpoints.encryption import Encryption, EncryptionUnavailableError
from tinker_ext.embedded.checkpoints.files import is_encrypted
from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.errors import RejectedRequestError, UserFailureError
from tinker_ext.embedded.execution.saving import SaveRequest
from tinker_ext.embedded.routes.call import checkpoint_of, json_response, submitted, unknown_session
from tinker_ext.embedded.routes.models import new_run
from tinker_ext.embedded.routes.sampling import sampling_session_id
from tinker_ext.embedded.routes.training import submit
from tinker_ext.embedded.validation_errors import field_error, unprocessable, validation_error

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import RunRecord

# Whether load_weights loads the optimizer's state by default; 0.4.1 clients don't send the field.
LOAD_OPTIMIZER_DEFAULT = True


async def save_weights(call: Call) -> Response:
    return submit(call, "save_weights", call.backend.training.save_weights(_save_request(call)))


async def load_weights(call: Call) -> Response:
    """Load into the given model, or into a new model of the given session."""
    optimizer = call.body.get("optimizer", LOAD_OPTIMIZER_DEFAULT)
    if call.body.get("model_id") is None:
        return _create_from_weights(call, optimizer)
    operation = call.backend.training.load_weights(call.body["path"], optimizer=optimizer)
    return submit(call, "load_weights", operation)


async def save_weights_for_sampler(call: Call) -> Response:
    number = call.number("sampling_session_seq_id")
    sampler = None
    if number is not None:
        # `submit` rejects an unknown model, so its session does not matter.
        run = call.backend.runs.get(call.body["model_id"])
        session_id = call.body["model_id"] if run is None else run.session_id
        sampler = sampling_session_id(session_id, number)
    request = _save_request(call)
    operation = call.backend.training.save_weights_for_sampler(request, sampler)
    return submit(call, "save_weights_for_sampler", operation)


async def save_weights_external(call: Call) -> Response:
    request = evolve(_save_request(call), encryption=_encryption(call))
    return submit(
        call, "save_weights_external", call.backend.training.save_weights_external(request)
    )


def _encryption(call: Call) -> Encryption | None:
    """The encryption that the body asks for.

    Raises:
        RejectedRequestError: a recipient is invalid, or this server can't encrypt (422).
    """
    recipients = call.body.get("age_encryption_recipients")
    if not recipients:
        return None
    try:
        return Encryption.to(recipients)
    except (ValueError, EncryptionUnavailableError) as error:
        raise field_error("age_encryption_recipients", "value_error", str(error)) from None


async def copy_weights(call: Call) -> Response:
    """Copy a checkpoint to a new run. A repeated idempotency key returns the same copy."""
    source, run = checkpoint_of(call.backend, call.body["source_path"], "source_path")
    if is_encrypted(call.backend.saving.folder(source.name)):
        raise RejectedRequestError(400, f"source_path: {source.name.path} is encrypted")
    target = _target_run(call, run)
    name = CheckpointName(target.run_id, source.name.kind, source.name.name)
    if call.backend.runs.get(target.run_id) is None:
        call.backend.runs.add(target)
    if call.backend.checkpoints.get(name) is None:
        request = SaveRequest(
            name.name, None, ttl_seconds=ttl(call), user_metadata=source.user_metadata
        )
        await asyncio.to_thread(call.backend.saving.copy, source, name, request)
    return json_response({"tinker_path": name.path})


def ttl(call: Call) -> int | None:
    """The time to live of a checkpoint, in seconds."""
    return call.number("ttl_seconds", at_least=1)


def _save_request(call: Call) -> SaveRequest:
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
        message = "is required if model_id is missing"
        raise unprocessable(
            [validation_error(("body", name), "missing", message) for name in missing]
        )
    path = call.body["path"]
    adapters = call.backend.training.own_adapters
    if adapters.matches(path):
        try:
            run = new_run(call, *adapters.describe(path, call.body.get("base_model")))
        except UserFailureError as error:
            raise RejectedRequestError(400, str(error)) from None
    else:
        _, source = checkpoint_of(call.backend, path, "path")
        run = new_run(call, call.body.get("base_model") or source.base_model, source.lora)
        if run.user_metadata is None:
            run = evolve(run, user_metadata=source.user_metadata)
    operation = call.backend.training.create_from_weights(run, path, optimizer=optimizer)
    request_id = call.backend.models.create(run.run_id, operation, "load_weights")
    return submitted(request_id, run.run_id)


def _target_run(call: Call, run: RunRecord) -> RunRecord:
    """The run of a copy: in the given session, or in a session of its own."""
    session_id, number = call.body.get("session_id"), call.number("model_seq_id")
    if session_id is None:
        key = call.request.headers.get("x-idempotency-key", uuid.uuid4().hex)
        session_id = f"copy-{uuid.uuid5(uuid.NAMESPACE_URL, f'{run.run_id} {key}')}"
    elif call.backend.sessions.get(session_id) is None:
        raise unknown_session(session_id)
    return evolve(run, run_id=f"{session_id}:train:{number or 0}", session_id=session_id)
