"""A client for the Tinker training API.

    import tinker_ext as tinker

    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=8)

The names are those of the official SDK. Each is imported when it is first used, so that
`import tinker_ext` itself takes no time (`tests/unit/test_import_cost.py`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tinker_ext.version import __title__, __version__

if TYPE_CHECKING:
    from tinker_ext import auth, types
    from tinker_ext.clients.admin import AdminClient
    from tinker_ext.clients.custom_loss.handle import LossHandle, PerDatumLossFn
    from tinker_ext.clients.rest.client import RestClient
    from tinker_ext.clients.sampling import BackcompatSamplingClientFuture, SamplingClient
    from tinker_ext.clients.service import ServiceClient
    from tinker_ext.clients.training import BackcompatTrainingClientFuture, TrainingClient
    from tinker_ext.config import ClientConfig
    from tinker_ext.errors import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BillingError,
        ClientClosedError,
        ConfigurationError,
        ConflictError,
        DeadlineExceededError,
        DownloadError,
        ExperimentalWarning,
        GoneError,
        InternalServerError,
        InvalidInputError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        RequestErrorCategory,
        RequestFailedError,
        SessionLostError,
        TinkerError,
        UnprocessableEntityError,
    )
    from tinker_ext.rules.polling import QueueState
    from tinker_ext.runtime.concurrency.deadline import deadline
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.results.queue_log import QueueStateObserver, SessionObserver
    from tinker_ext.tracing.spans import step
    from tinker_ext.types import (
        AdamOptimizerConfig,
        AdamParams,
        Checkpoint,
        CheckpointType,
        Datum,
        DimuonOptimizerConfig,
        DimuonParams,
        DmelChunk,
        EncodedTextChunk,
        ForwardBackwardOutput,
        ImageAssetPointerChunk,
        ImageChunk,
        LoraConfig,
        LossFnType,
        ModelID,
        ModelInput,
        ModelInputChunk,
        OptimParams,
        OptimStepResponse,
        ParsedCheckpointTinkerPath,
        PromptProvenanceSpan,
        SampledProvenanceSpan,
        SampledSequence,
        SampleResponse,
        SamplingParams,
        StopReason,
        TensorData,
        TensorDtype,
        TrainingRun,
    )

_HOMES = {
    "tinker_ext.clients.admin": ("AdminClient",),
    "tinker_ext.clients.custom_loss.handle": ("LossHandle", "PerDatumLossFn"),
    "tinker_ext.clients.rest.client": ("RestClient",),
    "tinker_ext.clients.sampling": ("BackcompatSamplingClientFuture", "SamplingClient"),
    "tinker_ext.clients.service": ("ServiceClient",),
    "tinker_ext.clients.training": ("BackcompatTrainingClientFuture", "TrainingClient"),
    "tinker_ext.config": ("ClientConfig",),
    "tinker_ext.rules.polling": ("QueueState",),
    "tinker_ext.runtime.concurrency.futures": ("APIFuture",),
    "tinker_ext.runtime.concurrency.deadline": ("deadline",),
    "tinker_ext.tracing.spans": ("step",),
    "tinker_ext.runtime.results.queue_log": ("QueueStateObserver", "SessionObserver"),
    "tinker_ext.errors": (
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "BillingError",
        "ClientClosedError",
        "ConfigurationError",
        "ConflictError",
        "DeadlineExceededError",
        "DownloadError",
        "ExperimentalWarning",
        "GoneError",
        "InternalServerError",
        "InvalidInputError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
        "RequestErrorCategory",
        "RequestFailedError",
        "SessionLostError",
        "TinkerError",
        "UnprocessableEntityError",
    ),
    "tinker_ext.types": (
        "AdamOptimizerConfig",
        "AdamParams",
        "Checkpoint",
        "CheckpointType",
        "Datum",
        "DimuonOptimizerConfig",
        "DimuonParams",
        "DmelChunk",
        "EncodedTextChunk",
        "ForwardBackwardOutput",
        "ImageAssetPointerChunk",
        "ImageChunk",
        "LoraConfig",
        "LossFnType",
        "ModelID",
        "ModelInput",
        "ModelInputChunk",
        "OptimParams",
        "OptimStepResponse",
        "ParsedCheckpointTinkerPath",
        "PromptProvenanceSpan",
        "SampledProvenanceSpan",
        "SampleResponse",
        "SampledSequence",
        "SamplingParams",
        "StopReason",
        "TensorData",
        "TensorDtype",
        "TrainingRun",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIFuture",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AdamOptimizerConfig",
    "AdamParams",
    "AdminClient",
    "AuthenticationError",
    "BackcompatSamplingClientFuture",
    "BackcompatTrainingClientFuture",
    "BadRequestError",
    "BillingError",
    "Checkpoint",
    "CheckpointType",
    "ClientClosedError",
    "ClientConfig",
    "ConfigurationError",
    "ConflictError",
    "Datum",
    "DeadlineExceededError",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "DownloadError",
    "EncodedTextChunk",
    "ExperimentalWarning",
    "ForwardBackwardOutput",
    "GoneError",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "InternalServerError",
    "InvalidInputError",
    "LoraConfig",
    "LossFnType",
    "LossHandle",
    "ModelID",
    "ModelInput",
    "ModelInputChunk",
    "NotFoundError",
    "OptimParams",
    "OptimStepResponse",
    "ParsedCheckpointTinkerPath",
    "PerDatumLossFn",
    "PermissionDeniedError",
    "PromptProvenanceSpan",
    "QueueState",
    "QueueStateObserver",
    "RateLimitError",
    "RequestErrorCategory",
    "RequestFailedError",
    "RestClient",
    "SampleResponse",
    "SampledProvenanceSpan",
    "SampledSequence",
    "SamplingClient",
    "SamplingParams",
    "ServiceClient",
    "SessionLostError",
    "SessionObserver",
    "StopReason",
    "TensorData",
    "TensorDtype",
    "TinkerError",
    "TrainingClient",
    "TrainingRun",
    "UnprocessableEntityError",
    "__title__",
    "__version__",
    "auth",
    "deadline",
    "step",
    "types",
]


def __getattr__(name: str) -> object:
    if name in ("auth", "types"):
        return import_module(f"tinker_ext.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tinker_ext' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
