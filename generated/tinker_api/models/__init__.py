# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""Every type of the API. Each is imported when it is first asked for: most programs need a few."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adam_params import AdamParams
    from .checkpoint import Checkpoint
    from .checkpoint_archive_url_response import CheckpointArchiveUrlResponse
    from .checkpoint_type_known import CheckpointTypeKnown
    from .checkpoints_list_response import CheckpointsListResponse
    from .create_model_request import CreateModelRequest
    from .create_model_response import CreateModelResponse
    from .create_sampling_session_request import CreateSamplingSessionRequest
    from .create_sampling_session_response import CreateSamplingSessionResponse
    from .create_session_request import CreateSessionRequest
    from .create_session_response import CreateSessionResponse
    from .cursor import Cursor
    from .datum import Datum
    from .encoded_text_chunk import EncodedTextChunk
    from .error_response import ErrorResponse
    from .event_data import EventData
    from .event_type import EventType
    from .forward_backward_input import ForwardBackwardInput
    from .forward_backward_output import ForwardBackwardOutput
    from .forward_backward_request import ForwardBackwardRequest
    from .forward_request import ForwardRequest
    from .future_retrieve_request import FutureRetrieveRequest
    from .generic_event import GenericEvent
    from .get_info_request import GetInfoRequest
    from .get_info_response import GetInfoResponse
    from .get_server_capabilities_response import GetServerCapabilitiesResponse
    from .health_response import HealthResponse
    from .image_asset_pointer_chunk import ImageAssetPointerChunk
    from .image_asset_pointer_chunk_format import ImageAssetPointerChunkFormat
    from .image_chunk import ImageChunk
    from .image_chunk_format import ImageChunkFormat
    from .load_weights_request import LoadWeightsRequest
    from .load_weights_response import LoadWeightsResponse
    from .lora_config import LoraConfig
    from .loss_fn_config import LossFnConfig
    from .loss_fn_inputs import LossFnInputs
    from .loss_fn_output import LossFnOutput
    from .loss_fn_type_known import LossFnTypeKnown
    from .metrics import Metrics
    from .model_data import ModelData
    from .model_input import ModelInput
    from .optim_step_request import OptimStepRequest
    from .optim_step_response import OptimStepResponse
    from .parsed_checkpoint_tinker_path import ParsedCheckpointTinkerPath
    from .queue_state_known import QueueStateKnown
    from .request_error_category_known import RequestErrorCategoryKnown
    from .request_failed_response import RequestFailedResponse
    from .sample_request import SampleRequest
    from .sample_response import SampleResponse
    from .sampled_sequence import SampledSequence
    from .sampling_params import SamplingParams
    from .save_weights_for_sampler_request import SaveWeightsForSamplerRequest
    from .save_weights_for_sampler_response import SaveWeightsForSamplerResponse
    from .save_weights_for_sampler_response_internal import SaveWeightsForSamplerResponseInternal
    from .save_weights_request import SaveWeightsRequest
    from .save_weights_response import SaveWeightsResponse
    from .session_end_event import SessionEndEvent
    from .session_heartbeat_request import SessionHeartbeatRequest
    from .session_heartbeat_response import SessionHeartbeatResponse
    from .session_start_event import SessionStartEvent
    from .severity import Severity
    from .stop_reason_known import StopReasonKnown
    from .supported_model import SupportedModel
    from .telemetry_batch import TelemetryBatch
    from .telemetry_response import TelemetryResponse
    from .telemetry_send_request import TelemetrySendRequest
    from .tensor_data import TensorData
    from .tensor_dtype import TensorDtype
    from .training_run import TrainingRun
    from .training_runs_response import TrainingRunsResponse
    from .try_again_response import TryAgainResponse
    from .unhandled_exception_event import UnhandledExceptionEvent
    from .unload_model_request import UnloadModelRequest
    from .unload_model_response import UnloadModelResponse
    from .untyped_api_future import UntypedAPIFuture
    from .user_metadata import UserMetadata
    from .validation_error_response import ValidationErrorResponse
    from .validation_problem import ValidationProblem

__all__ = (
    "AdamParams",
    "Checkpoint",
    "CheckpointArchiveUrlResponse",
    "CheckpointsListResponse",
    "CheckpointTypeKnown",
    "CreateModelRequest",
    "CreateModelResponse",
    "CreateSamplingSessionRequest",
    "CreateSamplingSessionResponse",
    "CreateSessionRequest",
    "CreateSessionResponse",
    "Cursor",
    "Datum",
    "EncodedTextChunk",
    "ErrorResponse",
    "EventData",
    "EventType",
    "ForwardBackwardInput",
    "ForwardBackwardOutput",
    "ForwardBackwardRequest",
    "ForwardRequest",
    "FutureRetrieveRequest",
    "GenericEvent",
    "GetInfoRequest",
    "GetInfoResponse",
    "GetServerCapabilitiesResponse",
    "HealthResponse",
    "ImageAssetPointerChunk",
    "ImageAssetPointerChunkFormat",
    "ImageChunk",
    "ImageChunkFormat",
    "LoadWeightsRequest",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossFnConfig",
    "LossFnInputs",
    "LossFnOutput",
    "LossFnTypeKnown",
    "Metrics",
    "ModelData",
    "ModelInput",
    "OptimStepRequest",
    "OptimStepResponse",
    "ParsedCheckpointTinkerPath",
    "QueueStateKnown",
    "RequestErrorCategoryKnown",
    "RequestFailedResponse",
    "SampledSequence",
    "SampleRequest",
    "SampleResponse",
    "SamplingParams",
    "SaveWeightsForSamplerRequest",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsForSamplerResponseInternal",
    "SaveWeightsRequest",
    "SaveWeightsResponse",
    "SessionEndEvent",
    "SessionHeartbeatRequest",
    "SessionHeartbeatResponse",
    "SessionStartEvent",
    "Severity",
    "StopReasonKnown",
    "SupportedModel",
    "TelemetryBatch",
    "TelemetryResponse",
    "TelemetrySendRequest",
    "TensorData",
    "TensorDtype",
    "TrainingRun",
    "TrainingRunsResponse",
    "TryAgainResponse",
    "UnhandledExceptionEvent",
    "UnloadModelRequest",
    "UnloadModelResponse",
    "UntypedAPIFuture",
    "UserMetadata",
    "ValidationErrorResponse",
    "ValidationProblem",
)

if not TYPE_CHECKING:
    _HOMES = {
        "AdamParams": ".adam_params",
        "Checkpoint": ".checkpoint",
        "CheckpointArchiveUrlResponse": ".checkpoint_archive_url_response",
        "CheckpointTypeKnown": ".checkpoint_type_known",
        "CheckpointsListResponse": ".checkpoints_list_response",
        "CreateModelRequest": ".create_model_request",
        "CreateModelResponse": ".create_model_response",
        "CreateSamplingSessionRequest": ".create_sampling_session_request",
        "CreateSamplingSessionResponse": ".create_sampling_session_response",
        "CreateSessionRequest": ".create_session_request",
        "CreateSessionResponse": ".create_session_response",
        "Cursor": ".cursor",
        "Datum": ".datum",
        "EncodedTextChunk": ".encoded_text_chunk",
        "ErrorResponse": ".error_response",
        "EventData": ".event_data",
        "EventType": ".event_type",
        "ForwardBackwardInput": ".forward_backward_input",
        "ForwardBackwardOutput": ".forward_backward_output",
        "ForwardBackwardRequest": ".forward_backward_request",
        "ForwardRequest": ".forward_request",
        "FutureRetrieveRequest": ".future_retrieve_request",
        "GenericEvent": ".generic_event",
        "GetInfoRequest": ".get_info_request",
        "GetInfoResponse": ".get_info_response",
        "GetServerCapabilitiesResponse": ".get_server_capabilities_response",
        "HealthResponse": ".health_response",
        "ImageAssetPointerChunk": ".image_asset_pointer_chunk",
        "ImageAssetPointerChunkFormat": ".image_asset_pointer_chunk_format",
        "ImageChunk": ".image_chunk",
        "ImageChunkFormat": ".image_chunk_format",
        "LoadWeightsRequest": ".load_weights_request",
        "LoadWeightsResponse": ".load_weights_response",
        "LoraConfig": ".lora_config",
        "LossFnConfig": ".loss_fn_config",
        "LossFnInputs": ".loss_fn_inputs",
        "LossFnOutput": ".loss_fn_output",
        "LossFnTypeKnown": ".loss_fn_type_known",
        "Metrics": ".metrics",
        "ModelData": ".model_data",
        "ModelInput": ".model_input",
        "OptimStepRequest": ".optim_step_request",
        "OptimStepResponse": ".optim_step_response",
        "ParsedCheckpointTinkerPath": ".parsed_checkpoint_tinker_path",
        "QueueStateKnown": ".queue_state_known",
        "RequestErrorCategoryKnown": ".request_error_category_known",
        "RequestFailedResponse": ".request_failed_response",
        "SampleRequest": ".sample_request",
        "SampleResponse": ".sample_response",
        "SampledSequence": ".sampled_sequence",
        "SamplingParams": ".sampling_params",
        "SaveWeightsForSamplerRequest": ".save_weights_for_sampler_request",
        "SaveWeightsForSamplerResponse": ".save_weights_for_sampler_response",
        "SaveWeightsForSamplerResponseInternal": ".save_weights_for_sampler_response_internal",
        "SaveWeightsRequest": ".save_weights_request",
        "SaveWeightsResponse": ".save_weights_response",
        "SessionEndEvent": ".session_end_event",
        "SessionHeartbeatRequest": ".session_heartbeat_request",
        "SessionHeartbeatResponse": ".session_heartbeat_response",
        "SessionStartEvent": ".session_start_event",
        "Severity": ".severity",
        "StopReasonKnown": ".stop_reason_known",
        "SupportedModel": ".supported_model",
        "TelemetryBatch": ".telemetry_batch",
        "TelemetryResponse": ".telemetry_response",
        "TelemetrySendRequest": ".telemetry_send_request",
        "TensorData": ".tensor_data",
        "TensorDtype": ".tensor_dtype",
        "TrainingRun": ".training_run",
        "TrainingRunsResponse": ".training_runs_response",
        "TryAgainResponse": ".try_again_response",
        "UnhandledExceptionEvent": ".unhandled_exception_event",
        "UnloadModelRequest": ".unload_model_request",
        "UnloadModelResponse": ".unload_model_response",
        "UntypedAPIFuture": ".untyped_api_future",
        "UserMetadata": ".user_metadata",
        "ValidationErrorResponse": ".validation_error_response",
        "ValidationProblem": ".validation_problem",
    }

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted(__all__)
