"""The public types of requests and responses.

``to_api()`` converts request types to generated models, ``from_api()`` decodes responses. All are
immutable. Importing this package imports neither numpy nor torch nor the generated models.
"""

from tinker_ext.errors import RequestErrorCategory
from tinker_ext.types.inputs.audio import DmelChunk
from tinker_ext.types.inputs.chunks import EncodedTextChunk, ModelInputChunk
from tinker_ext.types.inputs.custom_loss import CustomLossInput, CustomLossInputRank
from tinker_ext.types.inputs.datum import Datum, LossFnInputs, TensorInput
from tinker_ext.types.inputs.images import ImageAssetPointerChunk, ImageChunk, ImageFormat
from tinker_ext.types.inputs.model_input import ModelInput
from tinker_ext.types.inputs.optimizers import (
    AdamOptimizerConfig,
    DimuonOptimizerConfig,
    DimuonParams,
    OptimizerConfig,
    OptimParams,
)
from tinker_ext.types.inputs.params import (
    AdamParams,
    LoraConfig,
    LossFnConfig,
    LossFnType,
    SamplingClientKind,
    SamplingParams,
    parse_loss_config,
    read_config,
)
from tinker_ext.types.inputs.provenance import (
    PromptProvenanceSpan,
    ProvenanceSpans,
    SampledProvenanceSpan,
)
from tinker_ext.types.inputs.validation import (
    byte_count,
    number_count,
    validate_data,
    validate_prompt,
)
from tinker_ext.types.responses.admin import (
    AuditLogEntry,
    AuditLogResponse,
    CurrentCheckpointStorageUsageItem,
    CurrentCheckpointStorageUsageResponse,
)
from tinker_ext.types.responses.billing import (
    BillingEventInfo,
    BillingUsageEvent,
    BillingUsageResponse,
    BillingUsageSession,
    CheckpointBillingEvent,
    OtherBillingEvent,
    SamplingPrefillBillingEvent,
    SamplingSampleBillingEvent,
    StorageBillingEvent,
    TrainingBillingEvent,
)
from tinker_ext.types.responses.checkpoints import (
    Checkpoint,
    CheckpointArchiveUrlResponse,
    CheckpointsListResponse,
    CheckpointType,
    Cursor,
    ExternalWeightsUrlsResponse,
    ParsedCheckpointTinkerPath,
)
from tinker_ext.types.responses.downloads import CheckpointDownload, DownloadProgress
from tinker_ext.types.responses.sampling import (
    PromptAltTokens,
    SampledSequence,
    SampleResponse,
    StopReason,
)
from tinker_ext.types.responses.service import (
    GetInfoResponse,
    GetServerCapabilitiesResponse,
    ModelData,
    SupportedModel,
    TrainingRun,
    TrainingRunsResponse,
)
from tinker_ext.types.responses.session_search import (
    AccessibleSearchOwner,
    OwnSearchOwner,
    SearchOwner,
    SessionSearchCursor,
    SessionSearchRequest,
    SessionSearchResponse,
    SessionSummary,
    UserSearchOwner,
)
from tinker_ext.types.responses.session_status import (
    ActiveSessionStatusQuery,
    CancelledSessionStatusQuery,
    ClientFinishedSessionStatusQuery,
    ClientSessionFinished,
    ClientSessionFinishErrored,
    ClientSessionFinishInterrupted,
    ClientSessionFinishReason,
    ClientSessionFinishReasonType,
    ClientSessionFinishSuccess,
    FailedSessionStatusQuery,
    OtherSessionStatus,
    SessionActive,
    SessionCancelled,
    SessionFailed,
    SessionFailedReason,
    SessionFailedRequestReason,
    SessionFailedSamplingSessionReason,
    SessionFailedTrainingRunReason,
    SessionStatus,
    SessionStatusQuery,
)
from tinker_ext.types.responses.sessions import (
    GetSamplerResponse,
    GetSessionResponse,
    ListSessionsResponse,
    WhoamiResponse,
)
from tinker_ext.types.responses.training import (
    CreateModelResponse,
    ForwardBackwardOutput,
    LossFnOutput,
    OptimStepResponse,
    UnloadModelResponse,
)
from tinker_ext.types.responses.weights import (
    LoadWeightsResponse,
    SaveWeightsExternalResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsForSamplerResponseInternal,
    SaveWeightsResponse,
    WeightsInfoResponse,
)
from tinker_ext.types.tensors.dtypes import DTYPE_BY_KEY, TensorDtype
from tinker_ext.types.tensors.tensor_data import TensorData
from tinker_ext.types.tensors.topk import TopkLogprobs, TopkRows

#: Aliases of ``str``, for annotations written against release 0.4.1.
ModelID = str
RequestID = str

__all__ = [
    "DTYPE_BY_KEY",
    "AccessibleSearchOwner",
    "ActiveSessionStatusQuery",
    "AdamOptimizerConfig",
    "AdamParams",
    "AuditLogEntry",
    "AuditLogResponse",
    "BillingEventInfo",
    "BillingUsageEvent",
    "BillingUsageResponse",
    "BillingUsageSession",
    "CancelledSessionStatusQuery",
    "Checkpoint",
    "CheckpointArchiveUrlResponse",
    "CheckpointBillingEvent",
    "CheckpointDownload",
    "CheckpointType",
    "CheckpointsListResponse",
    "ClientFinishedSessionStatusQuery",
    "ClientSessionFinishErrored",
    "ClientSessionFinishInterrupted",
    "ClientSessionFinishReason",
    "ClientSessionFinishReasonType",
    "ClientSessionFinishSuccess",
    "ClientSessionFinished",
    "CreateModelResponse",
    "CurrentCheckpointStorageUsageItem",
    "CurrentCheckpointStorageUsageResponse",
    "Cursor",
    "CustomLossInput",
    "CustomLossInputRank",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "DownloadProgress",
    "EncodedTextChunk",
    "ExternalWeightsUrlsResponse",
    "FailedSessionStatusQuery",
    "ForwardBackwardOutput",
    "GetInfoResponse",
    "GetSamplerResponse",
    "GetServerCapabilitiesResponse",
    "GetSessionResponse",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "ImageFormat",
    "ListSessionsResponse",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossFnConfig",
    "LossFnInputs",
    "LossFnOutput",
    "LossFnType",
    "ModelData",
    "ModelID",
    "ModelInput",
    "ModelInputChunk",
    "OptimParams",
    "OptimStepResponse",
    "OptimizerConfig",
    "OtherBillingEvent",
    "OtherSessionStatus",
    "OwnSearchOwner",
    "ParsedCheckpointTinkerPath",
    "PromptAltTokens",
    "PromptProvenanceSpan",
    "ProvenanceSpans",
    "RequestErrorCategory",
    "RequestID",
    "SampleResponse",
    "SampledProvenanceSpan",
    "SampledSequence",
    "SamplingClientKind",
    "SamplingParams",
    "SamplingPrefillBillingEvent",
    "SamplingSampleBillingEvent",
    "SaveWeightsExternalResponse",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsForSamplerResponseInternal",
    "SaveWeightsResponse",
    "SearchOwner",
    "SessionActive",
    "SessionCancelled",
    "SessionFailed",
    "SessionFailedReason",
    "SessionFailedRequestReason",
    "SessionFailedSamplingSessionReason",
    "SessionFailedTrainingRunReason",
    "SessionSearchCursor",
    "SessionSearchRequest",
    "SessionSearchResponse",
    "SessionStatus",
    "SessionStatusQuery",
    "SessionSummary",
    "StopReason",
    "StorageBillingEvent",
    "SupportedModel",
    "TensorData",
    "TensorDtype",
    "TensorInput",
    "TopkLogprobs",
    "TopkRows",
    "TrainingBillingEvent",
    "TrainingRun",
    "TrainingRunsResponse",
    "UnloadModelResponse",
    "UserSearchOwner",
    "WeightsInfoResponse",
    "WhoamiResponse",
    "byte_count",
    "number_count",
    "parse_loss_config",
    "read_config",
    "validate_data",
    "validate_prompt",
]
