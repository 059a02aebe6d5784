"""Sampling sessions: weights that a server has ready for sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_api import models

from tinker_ext.clients.argument_checks import check_nonempty_str
from tinker_ext.clients.hints import check_base_model, check_path, explaining_run_id
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore


async def open_sampling_session(
    core: ClientCore, *, model_path: str | None = None, base_model: str | None = None
) -> str:
    """Have the server load weights for sampling; the id of the sampling session."""
    session_id = await core.session.id()
    body = models.CreateSamplingSessionRequest(
        session_id=session_id, sampling_session_seq_id=core.session.next_sampling_seq_id()
    )
    if model_path is not None:
        body.model_path = model_path
    if base_model is not None:
        body.base_model = base_model
    with explaining_run_id(model_path or ""):
        response = await core.call(
            "create_sampling_session", lambda gateway: gateway.create_sampling_session(body)
        )
    made = or_none(response.sampling_session_id)
    if made is None and (request_id := or_none(response.request_id)) is not None:
        # Some servers answer with a future.
        result = await core.poller.wait(str(request_id), operation="create_sampling_session")
        made = result.get("sampling_session_id")
    if not isinstance(made, str):
        raise APIResponseValidationError(
            "the answer names no sampling session", operation="create_sampling_session"
        )
    return made


def check_source(model_path: str | None, base_model: str | None) -> None:
    """Refuse a source of weights that can't be."""
    if model_path is None and base_model is None:
        raise InvalidInputError("give a model_path or a base_model", where="model_path")
    if base_model is not None:
        check_nonempty_str(base_model, "base_model")
        check_base_model(base_model, "model_path=")
    if model_path is not None:
        check_path(model_path, "model_path", "base_model=")
