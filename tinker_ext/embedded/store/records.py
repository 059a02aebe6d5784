"""The rows of the state database, one class per table. Times are seconds since the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.embedded.checkpoints.names import CheckpointName


@frozen
class SessionRecord:
    """One session, as described by create_session.

    `finished` is the body of finish_session: ``{"reason": {"type": ...}, "detail": ...}``.
    """

    session_id: str
    created: float
    last_heartbeat: float
    sdk_version: str
    tags: list[str]
    user_metadata: dict[str, Any] | None
    telemetry_events: int = 0
    project_id: str | None = None
    display_name: str | None = None
    finished: dict[str, Any] | None = None


@frozen
class LoraRecord:
    """The settings that a model's adapter was created with."""

    rank: int
    seed: int | None = None
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True


@frozen
class RunRecord:
    """One model, which is also one training run, with the settings needed to build it again."""

    run_id: str
    session_id: str
    base_model: str
    lora: LoraRecord
    user_metadata: dict[str, str] | None
    created: float
    last_request: float


@frozen
class RequestRecord:
    """One request on a model. `seq_id` is None if the request had none.

    `result` is the encoded result once the request has completed, unless it was too large to store.
    """

    request_id: str
    run_id: str
    seq_id: int | None
    kind: str
    created: float
    result: bytes | None = None


@frozen
class CheckpointRecord:
    """One checkpoint on disk. `expires` is None if it does not expire."""

    name: CheckpointName
    created: float
    size_bytes: int
    public: bool = False
    expires: float | None = None
    user_metadata: dict[str, str] | None = None


@frozen
class SamplerRecord:
    """One sampling session, and the weights it samples from.

    `model_path` names a listed checkpoint, `folder` unlisted weights that were saved for this
    session only (`expired` once they were deleted to make room for newer ones). If both are None,
    the session samples from the base model. `joined` counts the clients that share the session with
    the client that opened it.
    """

    sampling_session_id: str
    session_id: str
    base_model: str
    model_path: str | None
    folder: str | None
    created: float
    expired: bool = False
    joined: int = 0
