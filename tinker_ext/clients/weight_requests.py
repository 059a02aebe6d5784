"""Request bodies for saving and loading weights.

Fields of later releases are omitted unless they are set: servers of 0.4.1 reject unknown fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, get_args

from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext.clients.argument_checks import check_str_mapping
from tinker_ext.clients.hints import check_path
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.submission.ordered import ChunkRequest
from tinker_ext.transport import operations
from tinker_ext.types import SamplingClientKind
from tinker_ext.types.checkpoint_path import DOT_SEGMENTS
from tinker_ext.types.structuring import or_none, or_unset

if TYPE_CHECKING:
    from collections.abc import Mapping

WeightsRequest: TypeAlias = (
    models.SaveWeightsRequest
    | models.LoadWeightsRequest
    | models.SaveWeightsForSamplerRequest
    | models.SaveWeightsExternalRequest
)


def as_chunk_request(body: WeightsRequest) -> ChunkRequest:
    """The request for a body; its seq_id is set when it is sent."""
    match body:
        case models.SaveWeightsRequest() as save:
            return ChunkRequest(operations.save_weights(body=save))
        case models.LoadWeightsRequest() as load:
            request = operations.load_weights(body=load)
            return ChunkRequest(request.with_secret(or_none(load.weights_access_token)))
        case models.SaveWeightsExternalRequest() as save:
            return ChunkRequest(operations.save_weights_external(body=save))
        case save:
            return ChunkRequest(operations.save_weights_for_sampler(body=save))


def build_save(
    model_id: str,
    name: str,
    ttl_seconds: int | None,
    overwrite: bool,
    user_metadata: Mapping[str, str] | None,
) -> models.SaveWeightsRequest:
    """Save weights and optimizer state under a name."""
    return models.SaveWeightsRequest(
        model_id=model_id,
        path=_validate_name(name),
        ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
        overwrite=overwrite or UNSET,
        user_metadata=_metadata(user_metadata),
    )


def build_save_for_sampler(
    model_id: str, name: str, ttl_seconds: int | None, user_metadata: Mapping[str, str] | None
) -> models.SaveWeightsForSamplerRequest:
    """Save the weights alone under a name."""
    return models.SaveWeightsForSamplerRequest(
        model_id=model_id,
        path=_validate_name(name),
        ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
        user_metadata=_metadata(user_metadata),
    )


def build_ephemeral_save(
    model_id: str, session_seq_id: int, kind: SamplingClientKind
) -> models.SaveWeightsForSamplerRequest:
    """Save the weights alone, without a name, for the sampling session of that number."""
    if kind not in get_args(SamplingClientKind):
        raise InvalidInputError(f"expected 'snapshot' or 'inflight', got {kind!r}", where="kind")
    return models.SaveWeightsForSamplerRequest(
        model_id=model_id,
        sampling_session_seq_id=session_seq_id,
        kind=UNSET if kind == "snapshot" else kind,
    )


def build_external_save(
    model_id: str, name: str, ttl_seconds: int | None, recipients: list[str] | None
) -> models.SaveWeightsExternalRequest:
    """Export the weights as files to download, encrypted for the recipients, if any."""
    return models.SaveWeightsExternalRequest(
        model_id=model_id,
        path=_validate_name(name),
        ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
        age_encryption_recipients=UNSET if recipients is None else list(recipients),
    )


def build_load(
    model_id: str, path: str, optimizer: bool | None, access_token: str | None
) -> models.LoadWeightsRequest:
    """Load a checkpoint into a model; with `optimizer` None the server chooses."""
    check_path(path, "path", "create_lora_training_client")
    return models.LoadWeightsRequest(
        model_id=model_id,
        path=path,
        optimizer=or_unset(optimizer),
        weights_access_token=or_unset(access_token),
    )


def validate_ttl(seconds: int | None) -> int | None:
    """Check a lifetime in seconds; None is the server's default, or no limit.

    The server may have a higher minimum.

    Raises:
        InvalidInputError: it is not an integer of at least 1.
    """
    if seconds is not None and (type(seconds) is not int or seconds < 1):
        raise InvalidInputError(
            f"expected an integer of at least 1 second, got {seconds!r}", where="ttl_seconds"
        )
    return seconds


def _metadata(metadata: Mapping[str, str] | None) -> models.TextMetadata | Unset:
    if metadata is None:
        return UNSET
    check_str_mapping(metadata, "user_metadata")
    return models.TextMetadata.from_dict(dict(metadata))


def _validate_name(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise InvalidInputError(
            f"expected a non-empty str without slashes, got {name!r}", where="name"
        )
    if name in DOT_SEGMENTS:
        raise InvalidInputError(
            f"{name!r} can't be part of a path; choose another name", where="name"
        )
    return name
