from tinker_ext.errors import RequestErrorCategory as RequestErrorCategory
from tinker_ext.types.inputs.audio import DmelChunk as DmelChunk
from tinker_ext.types.inputs.chunks import EncodedTextChunk as EncodedTextChunk
from tinker_ext.types.inputs.chunks import ModelInputChunk as ModelInputChunk
from tinker_ext.types.inputs.datum import DTYPE_BY_KEY as DTYPE_BY_KEY
from tinker_ext.types.inputs.datum import Datum as Datum
from tinker_ext.types.inputs.datum import LossFnInputs as LossFnInputs
from tinker_ext.types.inputs.datum import TensorInput as TensorInput
from tinker_ext.types.inputs.images import ImageAssetPointerChunk as ImageAssetPointerChunk
from tinker_ext.types.inputs.images import ImageChunk as ImageChunk
from tinker_ext.types.inputs.images import ImageFormat as ImageFormat
from tinker_ext.types.inputs.model_input import ModelInput as ModelInput
from tinker_ext.types.inputs.optimizers import AdamOptimizerConfig as AdamOptimizerConfig
from tinker_ext.types.inputs.optimizers import DimuonOptimizerConfig as DimuonOptimizerConfig
from tinker_ext.types.inputs.optimizers import DimuonParams as DimuonParams
from tinker_ext.types.inputs.optimizers import OptimizerConfig as OptimizerConfig
from tinker_ext.types.inputs.optimizers import OptimParams as OptimParams
from tinker_ext.types.inputs.params import AdamParams as AdamParams
from tinker_ext.types.inputs.params import CustomLossInput as CustomLossInput
from tinker_ext.types.inputs.params import CustomLossInputRank as CustomLossInputRank
from tinker_ext.types.inputs.params import LoraConfig as LoraConfig
from tinker_ext.types.inputs.params import LossFnConfig as LossFnConfig
from tinker_ext.types.inputs.params import LossFnType as LossFnType
from tinker_ext.types.inputs.params import SamplingClientKind as SamplingClientKind
from tinker_ext.types.inputs.params import SamplingParams as SamplingParams
from tinker_ext.types.inputs.params import parse_loss_config as parse_loss_config
from tinker_ext.types.inputs.params import read_config as read_config
from tinker_ext.types.inputs.provenance import PromptProvenanceSpan as PromptProvenanceSpan
from tinker_ext.types.inputs.provenance import ProvenanceSpans as ProvenanceSpans
from tinker_ext.types.inputs.provenance import SampledProvenanceSpan as SampledProvenanceSpan
from tinker_ext.types.inputs.validation import byte_count as byte_count
from tinker_ext.types.inputs.validation import number_count as number_count
from tinker_ext.types.inputs.validation import validate_data as validate_data
from tinker_ext.types.inputs.validation import validate_prompt as validate_prompt
from tinker_ext.types.responses.admin import AuditLogEntry as AuditLogEntry
from tinker_ext.types.responses.admin import AuditLogResponse as AuditLogResponse
from tinker_ext.types.responses.admin import (
    CurrentCheckpointStorageUsageItem as CurrentCheckpointStorageUsageItem,
)
from tinker_ext.types.responses.admin import (
    CurrentCheckpointStorageUsageResponse as CurrentCheckpointStorageUsageResponse,
)
from tinker_ext.types.responses.billing import BillingEventInfo as BillingEventInfo
from tinker_ext.types.responses.billing import BillingUsageEvent as BillingUsageEvent
from tinker_ext.types.responses.billing import BillingUsageResponse as BillingUsageResponse
from tinker_ext.types.responses.billing import BillingUsageSession as BillingUsageSession
from tinker_ext.types.responses.billing import CheckpointBillingEvent as CheckpointBillingEvent
from tinker_ext.types.responses.billing import OtherBillingEvent as OtherBillingEvent
from tinker_ext.types.responses.billing import (
    SamplingPrefillBillingEvent as SamplingPrefillBillingEvent,
)
from tinker_ext.types.responses.billing import (
    SamplingSampleBillingEvent as SamplingSampleBillingEvent,
)
from tinker_ext.types.responses.billing import StorageBillingEvent as StorageBillingEvent
from tinker_ext.types.responses.billing import TrainingBillingEvent as TrainingBillingEvent
from tinker_ext.types.responses.checkpoints import Checkpoint as Checkpoint
from tinker_ext.types.responses.checkpoints import (
    CheckpointArchiveUrlResponse as CheckpointArchiveUrlResponse,
)
from tinker_ext.types.responses.checkpoints import (
    CheckpointsListResponse as CheckpointsListResponse,
)
from tinker_ext.types.responses.checkpoints import CheckpointType as CheckpointType
from tinker_ext.types.responses.checkpoints import Cursor as Cursor
from tinker_ext.types.responses.checkpoints import (
    ExternalWeightsUrlsResponse as ExternalWeightsUrlsResponse,
)
from tinker_ext.types.responses.checkpoints import (
    ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath,
)
from tinker_ext.types.responses.downloads import CheckpointDownload as CheckpointDownload
from tinker_ext.types.responses.downloads import DownloadProgress as DownloadProgress
from tinker_ext.types.responses.sampling import PromptAltTokens as PromptAltTokens
from tinker_ext.types.responses.sampling import SampledSequence as SampledSequence
from tinker_ext.types.responses.sampling import SampleResponse as SampleResponse
from tinker_ext.types.responses.sampling import StopReason as StopReason
from tinker_ext.types.responses.service import GetInfoResponse as GetInfoResponse
from tinker_ext.types.responses.service import (
    GetServerCapabilitiesResponse as GetServerCapabilitiesResponse,
)
from tinker_ext.types.responses.service import ModelData as ModelData
from tinker_ext.types.responses.service import SupportedModel as SupportedModel
from tinker_ext.types.responses.service import TrainingRun as TrainingRun
from tinker_ext.types.responses.service import TrainingRunsResponse as TrainingRunsResponse
from tinker_ext.types.responses.session_search import AccessibleSearchOwner as AccessibleSearchOwner
from tinker_ext.types.responses.session_search import OwnSearchOwner as OwnSearchOwner
from tinker_ext.types.responses.session_search import SearchOwner as SearchOwner
from tinker_ext.types.responses.session_search import SessionSearchCursor as SessionSearchCursor
from tinker_ext.types.responses.session_search import SessionSearchRequest as SessionSearchRequest
from tinker_ext.types.responses.session_search import SessionSearchResponse as SessionSearchResponse
from tinker_ext.types.responses.session_search import SessionSummary as SessionSummary
from tinker_ext.types.responses.session_search import UserSearchOwner as UserSearchOwner
from tinker_ext.types.responses.session_status import (
    ActiveSessionStatusQuery as ActiveSessionStatusQuery,
)
from tinker_ext.types.responses.session_status import (
    CancelledSessionStatusQuery as CancelledSessionStatusQuery,
)
from tinker_ext.types.responses.session_status import (
    ClientFinishedSessionStatusQuery as ClientFinishedSessionStatusQuery,
)
from tinker_ext.types.responses.session_status import ClientSessionFinished as ClientSessionFinished
from tinker_ext.types.responses.session_status import (
    ClientSessionFinishErrored as ClientSessionFinishErrored,
)
from tinker_ext.types.responses.session_status import (
    ClientSessionFinishInterrupted as ClientSessionFinishInterrupted,
)
from tinker_ext.types.responses.session_status import (
    ClientSessionFinishReason as ClientSessionFinishReason,
)
from tinker_ext.types.responses.session_status import (
    ClientSessionFinishReasonType as ClientSessionFinishReasonType,
)
from tinker_ext.types.responses.session_status import (
    ClientSessionFinishSuccess as ClientSessionFinishSuccess,
)
from tinker_ext.types.responses.session_status import (
    FailedSessionStatusQuery as FailedSessionStatusQuery,
)
from tinker_ext.types.responses.session_status import OtherSessionStatus as OtherSessionStatus
from tinker_ext.types.responses.session_status import SessionActive as SessionActive
from tinker_ext.types.responses.session_status import SessionCancelled as SessionCancelled
from tinker_ext.types.responses.session_status import SessionFailed as SessionFailed
from tinker_ext.types.responses.session_status import SessionFailedReason as SessionFailedReason
from tinker_ext.types.responses.session_status import (
    SessionFailedRequestReason as SessionFailedRequestReason,
)
from tinker_ext.types.responses.session_status import (
    SessionFailedSamplingSessionReason as SessionFailedSamplingSessionReason,
)
from tinker_ext.types.responses.session_status import (
    SessionFailedTrainingRunReason as SessionFailedTrainingRunReason,
)
from tinker_ext.types.responses.session_status import SessionStatus as SessionStatus
from tinker_ext.types.responses.session_status import SessionStatusQuery as SessionStatusQuery
from tinker_ext.types.responses.sessions import GetSamplerResponse as GetSamplerResponse
from tinker_ext.types.responses.sessions import GetSessionResponse as GetSessionResponse
from tinker_ext.types.responses.sessions import ListSessionsResponse as ListSessionsResponse
from tinker_ext.types.responses.sessions import OwnApiKeyResponse as OwnApiKeyResponse
from tinker_ext.types.responses.sessions import WhoamiResponse as WhoamiResponse
from tinker_ext.types.responses.training import CreateModelResponse as CreateModelResponse
from tinker_ext.types.responses.training import ForwardBackwardOutput as ForwardBackwardOutput
from tinker_ext.types.responses.training import LossFnOutput as LossFnOutput
from tinker_ext.types.responses.training import ModelID as ModelID
from tinker_ext.types.responses.training import OptimStepResponse as OptimStepResponse
from tinker_ext.types.responses.training import RequestID as RequestID
from tinker_ext.types.responses.training import UnloadModelResponse as UnloadModelResponse
from tinker_ext.types.responses.weights import LoadWeightsResponse as LoadWeightsResponse
from tinker_ext.types.responses.weights import (
    SaveWeightsExternalResponse as SaveWeightsExternalResponse,
)
from tinker_ext.types.responses.weights import (
    SaveWeightsForSamplerResponse as SaveWeightsForSamplerResponse,
)
from tinker_ext.types.responses.weights import (
    SaveWeightsForSamplerResponseInternal as SaveWeightsForSamplerResponseInternal,
)
from tinker_ext.types.responses.weights import SaveWeightsResponse as SaveWeightsResponse
from tinker_ext.types.responses.weights import WeightsInfoResponse as WeightsInfoResponse
from tinker_ext.types.tensors.arrays import TensorDtype as TensorDtype
from tinker_ext.types.tensors.list_or_array import TopkLogprobs as TopkLogprobs
from tinker_ext.types.tensors.list_or_array import TopkRows as TopkRows
from tinker_ext.types.tensors.tensor_data import TensorData as TensorData
