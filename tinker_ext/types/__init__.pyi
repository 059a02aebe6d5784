from tinker_ext.errors import RequestErrorCategory as RequestErrorCategory
from tinker_ext.types.inputs.datum import DTYPE_BY_KEY as DTYPE_BY_KEY
from tinker_ext.types.inputs.datum import Datum as Datum
from tinker_ext.types.inputs.datum import LossFnInputs as LossFnInputs
from tinker_ext.types.inputs.datum import PromptProvenanceSpan as PromptProvenanceSpan
from tinker_ext.types.inputs.datum import ProvenanceSpans as ProvenanceSpans
from tinker_ext.types.inputs.datum import SampledProvenanceSpan as SampledProvenanceSpan
from tinker_ext.types.inputs.datum import TensorInput as TensorInput
from tinker_ext.types.inputs.datum import byte_count as byte_count
from tinker_ext.types.inputs.datum import number_count as number_count
from tinker_ext.types.inputs.datum import parse_loss_config as parse_loss_config
from tinker_ext.types.inputs.datum import read_config as read_config
from tinker_ext.types.inputs.datum import validate_data as validate_data
from tinker_ext.types.inputs.model_input import DmelChunk as DmelChunk
from tinker_ext.types.inputs.model_input import EncodedTextChunk as EncodedTextChunk
from tinker_ext.types.inputs.model_input import ImageAssetPointerChunk as ImageAssetPointerChunk
from tinker_ext.types.inputs.model_input import ImageChunk as ImageChunk
from tinker_ext.types.inputs.model_input import ImageFormat as ImageFormat
from tinker_ext.types.inputs.model_input import ModelInput as ModelInput
from tinker_ext.types.inputs.model_input import ModelInputChunk as ModelInputChunk
from tinker_ext.types.inputs.model_input import validate_prompt as validate_prompt
from tinker_ext.types.inputs.params import AdamOptimizerConfig as AdamOptimizerConfig
from tinker_ext.types.inputs.params import AdamParams as AdamParams
from tinker_ext.types.inputs.params import CustomLossInput as CustomLossInput
from tinker_ext.types.inputs.params import CustomLossInputRank as CustomLossInputRank
from tinker_ext.types.inputs.params import DimuonOptimizerConfig as DimuonOptimizerConfig
from tinker_ext.types.inputs.params import DimuonParams as DimuonParams
from tinker_ext.types.inputs.params import LoraConfig as LoraConfig
from tinker_ext.types.inputs.params import LossFnConfig as LossFnConfig
from tinker_ext.types.inputs.params import LossFnType as LossFnType
from tinker_ext.types.inputs.params import OptimizerConfig as OptimizerConfig
from tinker_ext.types.inputs.params import OptimParams as OptimParams
from tinker_ext.types.inputs.params import SamplingClientKind as SamplingClientKind
from tinker_ext.types.inputs.params import SamplingParams as SamplingParams
from tinker_ext.types.responses.admin import AuditLogEntry as AuditLogEntry
from tinker_ext.types.responses.admin import AuditLogResponse as AuditLogResponse
from tinker_ext.types.responses.admin import BillingEventInfo as BillingEventInfo
from tinker_ext.types.responses.admin import BillingUsageEvent as BillingUsageEvent
from tinker_ext.types.responses.admin import BillingUsageResponse as BillingUsageResponse
from tinker_ext.types.responses.admin import BillingUsageSession as BillingUsageSession
from tinker_ext.types.responses.admin import CheckpointBillingEvent as CheckpointBillingEvent
from tinker_ext.types.responses.admin import (
    CurrentCheckpointStorageUsageItem as CurrentCheckpointStorageUsageItem,
)
from tinker_ext.types.responses.admin import (
    CurrentCheckpointStorageUsageResponse as CurrentCheckpointStorageUsageResponse,
)
from tinker_ext.types.responses.admin import OtherBillingEvent as OtherBillingEvent
from tinker_ext.types.responses.admin import (
    SamplingPrefillBillingEvent as SamplingPrefillBillingEvent,
)
from tinker_ext.types.responses.admin import (
    SamplingSampleBillingEvent as SamplingSampleBillingEvent,
)
from tinker_ext.types.responses.admin import StorageBillingEvent as StorageBillingEvent
from tinker_ext.types.responses.admin import TrainingBillingEvent as TrainingBillingEvent
from tinker_ext.types.responses.checkpoints import Checkpoint as Checkpoint
from tinker_ext.types.responses.checkpoints import (
    CheckpointArchiveUrlResponse as CheckpointArchiveUrlResponse,
)
from tinker_ext.types.responses.checkpoints import CheckpointDownload as CheckpointDownload
from tinker_ext.types.responses.checkpoints import (
    CheckpointsListResponse as CheckpointsListResponse,
)
from tinker_ext.types.responses.checkpoints import CheckpointType as CheckpointType
from tinker_ext.types.responses.checkpoints import Cursor as Cursor
from tinker_ext.types.responses.checkpoints import DownloadProgress as DownloadProgress
from tinker_ext.types.responses.checkpoints import (
    ExternalWeightsUrlsResponse as ExternalWeightsUrlsResponse,
)
from tinker_ext.types.responses.checkpoints import (
    ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath,
)
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
from tinker_ext.types.responses.sessions import AccessibleSearchOwner as AccessibleSearchOwner
from tinker_ext.types.responses.sessions import (
    ActiveSessionStatusQuery as ActiveSessionStatusQuery,
)
from tinker_ext.types.responses.sessions import (
    CancelledSessionStatusQuery as CancelledSessionStatusQuery,
)
from tinker_ext.types.responses.sessions import (
    ClientFinishedSessionStatusQuery as ClientFinishedSessionStatusQuery,
)
from tinker_ext.types.responses.sessions import ClientSessionFinished as ClientSessionFinished
from tinker_ext.types.responses.sessions import (
    ClientSessionFinishErrored as ClientSessionFinishErrored,
)
from tinker_ext.types.responses.sessions import (
    ClientSessionFinishInterrupted as ClientSessionFinishInterrupted,
)
from tinker_ext.types.responses.sessions import (
    ClientSessionFinishReason as ClientSessionFinishReason,
)
from tinker_ext.types.responses.sessions import (
    ClientSessionFinishReasonType as ClientSessionFinishReasonType,
)
from tinker_ext.types.responses.sessions import (
    ClientSessionFinishSuccess as ClientSessionFinishSuccess,
)
from tinker_ext.types.responses.sessions import (
    FailedSessionStatusQuery as FailedSessionStatusQuery,
)
from tinker_ext.types.responses.sessions import GetSamplerResponse as GetSamplerResponse
from tinker_ext.types.responses.sessions import GetSessionResponse as GetSessionResponse
from tinker_ext.types.responses.sessions import ListSessionsResponse as ListSessionsResponse
from tinker_ext.types.responses.sessions import OtherSessionStatus as OtherSessionStatus
from tinker_ext.types.responses.sessions import OwnApiKeyResponse as OwnApiKeyResponse
from tinker_ext.types.responses.sessions import OwnSearchOwner as OwnSearchOwner
from tinker_ext.types.responses.sessions import SearchOwner as SearchOwner
from tinker_ext.types.responses.sessions import SessionActive as SessionActive
from tinker_ext.types.responses.sessions import SessionCancelled as SessionCancelled
from tinker_ext.types.responses.sessions import SessionFailed as SessionFailed
from tinker_ext.types.responses.sessions import SessionFailedReason as SessionFailedReason
from tinker_ext.types.responses.sessions import (
    SessionFailedRequestReason as SessionFailedRequestReason,
)
from tinker_ext.types.responses.sessions import (
    SessionFailedSamplingSessionReason as SessionFailedSamplingSessionReason,
)
from tinker_ext.types.responses.sessions import (
    SessionFailedTrainingRunReason as SessionFailedTrainingRunReason,
)
from tinker_ext.types.responses.sessions import SessionSearchCursor as SessionSearchCursor
from tinker_ext.types.responses.sessions import SessionSearchRequest as SessionSearchRequest
from tinker_ext.types.responses.sessions import SessionSearchResponse as SessionSearchResponse
from tinker_ext.types.responses.sessions import SessionStatus as SessionStatus
from tinker_ext.types.responses.sessions import SessionStatusQuery as SessionStatusQuery
from tinker_ext.types.responses.sessions import SessionSummary as SessionSummary
from tinker_ext.types.responses.sessions import UserSearchOwner as UserSearchOwner
from tinker_ext.types.responses.sessions import WhoamiResponse as WhoamiResponse
from tinker_ext.types.responses.training import CreateModelResponse as CreateModelResponse
from tinker_ext.types.responses.training import ForwardBackwardOutput as ForwardBackwardOutput
from tinker_ext.types.responses.training import LoadWeightsResponse as LoadWeightsResponse
from tinker_ext.types.responses.training import LossFnOutput as LossFnOutput
from tinker_ext.types.responses.training import ModelID as ModelID
from tinker_ext.types.responses.training import OptimStepResponse as OptimStepResponse
from tinker_ext.types.responses.training import RequestID as RequestID
from tinker_ext.types.responses.training import (
    SaveWeightsExternalResponse as SaveWeightsExternalResponse,
)
from tinker_ext.types.responses.training import (
    SaveWeightsForSamplerResponse as SaveWeightsForSamplerResponse,
)
from tinker_ext.types.responses.training import (
    SaveWeightsForSamplerResponseInternal as SaveWeightsForSamplerResponseInternal,
)
from tinker_ext.types.responses.training import SaveWeightsResponse as SaveWeightsResponse
from tinker_ext.types.responses.training import UnloadModelResponse as UnloadModelResponse
from tinker_ext.types.responses.training import WeightsInfoResponse as WeightsInfoResponse
from tinker_ext.types.tensors.number_buffer import TensorDtype as TensorDtype
from tinker_ext.types.tensors.received import TopkLogprobs as TopkLogprobs
from tinker_ext.types.tensors.received import TopkRows as TopkRows
from tinker_ext.types.tensors.tensor_data import TensorData as TensorData
