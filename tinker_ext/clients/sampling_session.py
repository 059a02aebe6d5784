"""Sampling sessions, which are weights that a server has loaded for sampling, and their handles."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
from attrs import frozen
from tinker_api import models

from tinker_ext.clients.argument_checks import check_base_model, check_nonempty_str, check_path
from tinker_ext.clients.checkpoint_lookup import find_run_id, run_id_hint
from tinker_ext.clients.result_decoding import require_base_model
from tinker_ext.errors import APIResponseValidationError, APIStatusError, InvalidInputError
from tinker_ext.protocol.error_responses import MISSING_STATUSES
from tinker_ext.runtime.core import read_request_id
from tinker_ext.transport import operations
from tinker_ext.types.structuring import or_none

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore


async def open_sampling_session(
    core: ClientCore, *, model_path: str | None = None, base_model: str | None = None
) -> str:
    """Have the server load weights for sampling; returns the id of the sampling session."""
    session_id = await core.session.id()
    body = models.CreateSamplingSessionRequest(
        session_id=session_id, sampling_session_seq_id=next(core.session.sampling_seq_ids)
    )
    if model_path is not None:
        body.model_path = model_path
    if base_model is not None:
        body.base_model = base_model
    with run_id_hint(model_path or ""):
        response = await core.call(operations.create_sampling_session(body=body))
    sampling_session_id = or_none(response.sampling_session_id)
    if sampling_session_id is None and (request_id := or_none(response.request_id)) is not None:
        # Some servers return a future.
        request_id = read_request_id("create_sampling_session", request_id)
        result = await core.poller.wait(request_id, operation="create_sampling_session")
        sampling_session_id = result.get("sampling_session_id")
    if not isinstance(sampling_session_id, str):
        raise APIResponseValidationError(
            "the response has no sampling_session_id", operation="create_sampling_session"
        )
    return sampling_session_id


async def find_base_model(
    core: ClientCore, sampling_session_id: str, model_path: str | None
) -> str:
    """The base model of a sampling session.

    Servers without `get_sampler` return it with the training run of the weights.
    """
    try:
        sampler = await core.call(operations.get_sampler(sampling_session_id))
    except APIStatusError as error:
        if error.status_code not in MISSING_STATUSES or model_path is None:
            raise
        run_id = await find_run_id(core, model_path)
        run = await core.call(operations.get_training_run(run_id))
        return require_base_model(run.base_model, "get_training_run")
    return require_base_model(sampler.base_model, "get_sampler")


def check_source(model_path: str | None, base_model: str | None) -> None:
    """Reject an invalid or missing source of weights."""
    if model_path is None and base_model is None:
        raise InvalidInputError(
            "no weights to sample from; pass model_path or base_model", where="model_path"
        )
    if base_model is not None:
        check_nonempty_str(base_model, "base_model")
        check_base_model(base_model, "model_path=")
    if model_path is not None:
        check_path(model_path, "model_path", "base_model=")


@frozen(kw_only=True)
class SamplerHandle:
    """The server and the weights of a sampling client, for other processes. It holds no key."""

    base_url: str
    #: The file with the key of an embedded backend.
    key_file: str | None
    sampling_session_id: str
    model_path: str | None = None
    base_model: str | None = None
    record_stability_info: bool = False

    def encode(self) -> str:
        """The handle as text."""
        return base64.urlsafe_b64encode(json.dumps(attrs.asdict(self)).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """The handle in a text.

        Raises:
            InvalidInputError: the text is not a handle.
        """
        try:
            content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
            key_file = content["key_file"]
            return cls(
                base_url=content["base_url"],
                key_file=None if key_file is None else str(Path(key_file)),
                sampling_session_id=content["sampling_session_id"],
                model_path=content.get("model_path"),
                base_model=content.get("base_model"),
                record_stability_info=bool(content.get("record_stability_info")),
            )
        except (ValueError, KeyError, TypeError):
            raise InvalidInputError(
                "expected the text that get_sampler_handle() returned", where="handle"
            ) from None
