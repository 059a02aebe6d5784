"""Creates sampling sessions, and submits and cancels samples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.execution.sample_request import MAX_SAMPLES, Weights, sequence_ids
from tinker_ext.embedded.routes.call import (
    MAX_SAMPLE_NUMBER,
    checkpoint_of,
    empty_response,
    json_response,
    submitted,
    unknown_session,
)
from tinker_ext.embedded.store import SamplerRecord
from tinker_ext.embedded.validation_errors import field_error

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.routes.call import Call


def sampling_session_id(session_id: str, number: int) -> str:
    """The id of a sampling session: a repeated number gives the same id."""
    return f"{session_id}:sample:{number}"


async def create_sampling_session(call: Call) -> Response:
    session_id = call.body["session_id"]
    if call.backend.sessions.get(session_id) is None:
        raise unknown_session(session_id)
    number = call.number("sampling_session_seq_id")
    assert number is not None, "the specification requires it"
    sampler_id = sampling_session_id(session_id, number)
    if call.backend.samplers.get(sampler_id) is None:
        model_path = call.body.get("model_path")
        weights = _named_weights(call.backend, call.body.get("base_model"), model_path)
        call.backend.samplers.add(
            SamplerRecord(
                sampling_session_id=sampler_id,
                session_id=session_id,
                base_model=weights.base_model,
                model_path=model_path,
                folder=None,
                created=time.time(),
            )
        )
    return json_response({"type": "create_sampling_session", "sampling_session_id": sampler_id})


async def join_sampling_session(call: Call) -> Response:
    """Returns a new number for each client that shares the session."""
    sampler_id = call.body["sampling_session_id"]
    counter = call.backend.samplers.join(sampler_id)
    if counter is None:
        raise _unknown_sampler(sampler_id)
    return json_response({"type": "join_sampling_session", "client_counter": counter})


async def asample(call: Call) -> Response:
    """Submit samples; the scope of a request without a sampling session is its weights."""
    backend, body = call.backend, call.body
    sampler_id = body.get("sampling_session_id")
    if sampler_id is None:
        base_model, model_path = body.get("base_model"), body.get("model_path")
        weights = _named_weights(backend, base_model, model_path)
        scope = model_path or weights.base_model
        # The number is ignored, because different clients may use the same one.
        return _submitted(call, backend.sampler.submit(scope, None, weights, body))
    record = _sampler(backend, sampler_id)
    weights = _session_weights(backend, record)
    number = call.number("seq_id", at_most=MAX_SAMPLE_NUMBER)
    request_id = backend.sampler.submit(
        sampler_id, number, weights, body, session_id=record.session_id
    )
    return _submitted(call, request_id)


async def get_sampler(call: Call) -> Response:
    record = _sampler(call.backend, call.path["sampler_id"])
    content = {
        "sampler_id": record.sampling_session_id,
        "base_model": record.base_model,
        "model_path": record.model_path,
    }
    return json_response(content)


async def cancel_future(call: Call) -> Response:
    """Cancels queued and running samples; other requests are not affected."""
    call.backend.sampler.cancel(call.body["request_id"])
    return empty_response()


def _submitted(call: Call, request_id: str) -> Response:
    """The response, with an id for each sequence if the protocol has the field."""
    count = min(int(call.body.get("num_samples", 1)), MAX_SAMPLES)
    ids = {"sample_sequence_ids": sequence_ids(request_id, count)}
    return submitted(request_id, **call.known_fields("UntypedAPIFuture", ids))


def _sampler(backend: Backend, sampler_id: str) -> SamplerRecord:
    record = backend.samplers.get(sampler_id)
    if record is None:
        raise _unknown_sampler(sampler_id)
    return record


def _unknown_sampler(sampler_id: str) -> RejectedRequestError:
    return RejectedRequestError(404, f"there is no sampling session {sampler_id!r} on this server")


def _session_weights(backend: Backend, record: SamplerRecord) -> Weights:
    if record.expired:
        raise RejectedRequestError(
            404,
            f"the weights of sampling session {record.sampling_session_id!r} were deleted to make "
            "room for newer ones; save weights under a name to keep them",
        )
    if record.folder is not None:
        folder = backend.files.sampler(record.folder)
        return Weights(record.base_model, folder, record.created)
    return _named_weights(backend, record.base_model, record.model_path)


def _named_weights(backend: Backend, base_model: str | None, model_path: str | None) -> Weights:
    """The weights of a checkpoint's path, or else of a base model's name.

    Raises:
        RejectedRequestError: both are missing (422), or the name or path is unknown (404).
    """
    from tinker_ext.embedded.engine.model import BASE_MODELS

    if model_path is not None:
        return _checkpoint_weights(backend, model_path)
    if base_model is None:
        raise field_error("base_model", "missing", "is required if model_path is missing")
    if base_model not in BASE_MODELS:
        known = ", ".join(BASE_MODELS)
        raise RejectedRequestError(
            404, f"unknown base model {base_model!r}; this server has {known}"
        )
    return Weights(base_model)


def _checkpoint_weights(backend: Backend, model_path: str) -> Weights:
    record, run = checkpoint_of(backend, model_path, "model_path")
    return Weights(run.base_model, backend.saving.folder(record.name), record.created)
