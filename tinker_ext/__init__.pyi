from tinker_ext import auth as auth
from tinker_ext import types as types
from tinker_ext.clients.custom_loss import LossHandle as LossHandle
from tinker_ext.clients.custom_loss import PerDatumLossFn as PerDatumLossFn
from tinker_ext.clients.rest.client import AdminClient as AdminClient
from tinker_ext.clients.rest.client import RestClient as RestClient
from tinker_ext.clients.retry_config import RetryConfig as RetryConfig
from tinker_ext.clients.sample_many import SampleOutcome as SampleOutcome
from tinker_ext.clients.sample_many import SampleProgress as SampleProgress
from tinker_ext.clients.sampling import (
    BackcompatSamplingClientFuture as BackcompatSamplingClientFuture,
)
from tinker_ext.clients.sampling import SamplingClient as SamplingClient
from tinker_ext.clients.service import ServiceClient as ServiceClient
from tinker_ext.clients.training import (
    BackcompatTrainingClientFuture as BackcompatTrainingClientFuture,
)
from tinker_ext.clients.training import TrainingClient as TrainingClient
from tinker_ext.config import ClientConfig as ClientConfig
from tinker_ext.errors import APIConnectionError as APIConnectionError
from tinker_ext.errors import APIError as APIError
from tinker_ext.errors import APIResponseValidationError as APIResponseValidationError
from tinker_ext.errors import APIStatusError as APIStatusError
from tinker_ext.errors import APITimeoutError as APITimeoutError
from tinker_ext.errors import AuthenticationError as AuthenticationError
from tinker_ext.errors import BadRequestError as BadRequestError
from tinker_ext.errors import BillingError as BillingError
from tinker_ext.errors import CircuitOpenError as CircuitOpenError
from tinker_ext.errors import ClientClosedError as ClientClosedError
from tinker_ext.errors import ConfigurationError as ConfigurationError
from tinker_ext.errors import ConflictError as ConflictError
from tinker_ext.errors import DeadlineExceededError as DeadlineExceededError
from tinker_ext.errors import DownloadError as DownloadError
from tinker_ext.errors import ExperimentalWarning as ExperimentalWarning
from tinker_ext.errors import GoneError as GoneError
from tinker_ext.errors import InternalServerError as InternalServerError
from tinker_ext.errors import InvalidInputError as InvalidInputError
from tinker_ext.errors import NotFoundError as NotFoundError
from tinker_ext.errors import PermissionDeniedError as PermissionDeniedError
from tinker_ext.errors import RateLimitError as RateLimitError
from tinker_ext.errors import RequestErrorCategory as RequestErrorCategory
from tinker_ext.errors import RequestFailedError as RequestFailedError
from tinker_ext.errors import SessionLostError as SessionLostError
from tinker_ext.errors import TinkerError as TinkerError
from tinker_ext.errors import UnprocessableEntityError as UnprocessableEntityError
from tinker_ext.rules.polling import QueueState as QueueState
from tinker_ext.runtime.concurrency.as_completed import (
    AwaitableConcurrentFuture as AwaitableConcurrentFuture,
)
from tinker_ext.runtime.concurrency.as_completed import as_completed as as_completed
from tinker_ext.runtime.concurrency.futures import APIFuture as APIFuture
from tinker_ext.runtime.results.poller import QueueStateObserver as QueueStateObserver
from tinker_ext.runtime.results.poller import SessionObserver as SessionObserver
from tinker_ext.timeouts import deadline as deadline
from tinker_ext.tracing.spans import step as step
from tinker_ext.types import AdamOptimizerConfig as AdamOptimizerConfig
from tinker_ext.types import AdamParams as AdamParams
from tinker_ext.types import Checkpoint as Checkpoint
from tinker_ext.types import CheckpointType as CheckpointType
from tinker_ext.types import Datum as Datum
from tinker_ext.types import DimuonOptimizerConfig as DimuonOptimizerConfig
from tinker_ext.types import DimuonParams as DimuonParams
from tinker_ext.types import DmelChunk as DmelChunk
from tinker_ext.types import EncodedTextChunk as EncodedTextChunk
from tinker_ext.types import ForwardBackwardOutput as ForwardBackwardOutput
from tinker_ext.types import ImageAssetPointerChunk as ImageAssetPointerChunk
from tinker_ext.types import ImageChunk as ImageChunk
from tinker_ext.types import LoraConfig as LoraConfig
from tinker_ext.types import LossFnType as LossFnType
from tinker_ext.types import ModelID as ModelID
from tinker_ext.types import ModelInput as ModelInput
from tinker_ext.types import ModelInputChunk as ModelInputChunk
from tinker_ext.types import OptimParams as OptimParams
from tinker_ext.types import OptimStepResponse as OptimStepResponse
from tinker_ext.types import ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath
from tinker_ext.types import PromptProvenanceSpan as PromptProvenanceSpan
from tinker_ext.types import SampledProvenanceSpan as SampledProvenanceSpan
from tinker_ext.types import SampledSequence as SampledSequence
from tinker_ext.types import SampleResponse as SampleResponse
from tinker_ext.types import SamplingParams as SamplingParams
from tinker_ext.types import StopReason as StopReason
from tinker_ext.types import TensorData as TensorData
from tinker_ext.types import TensorDtype as TensorDtype
from tinker_ext.types import TrainingRun as TrainingRun
from tinker_ext.version import __title__ as __title__
from tinker_ext.version import __version__ as __version__
