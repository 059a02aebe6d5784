"""The field's types as users know them.

Requests are built from these and turned into generated models by ``to_api()``; answers are
read with ``from_api()``. All are immutable. Importing this package imports neither numpy nor
torch nor the generated models.
"""

from tinker_ext.errors import RequestErrorCategory
from tinker_ext.types.checkpoints import (
    Checkpoint,
    CheckpointArchiveUrlResponse,
    CheckpointsListResponse,
    CheckpointType,
    Cursor,
    ExternalWeightsUrlsResponse,
    ParsedCheckpointTinkerPath,
)
from tinker_ext.types.chunks import EncodedTextChunk, ModelInputChunk
from tinker_ext.types.datum import Datum, LossFnInputs, TensorInput
from tinker_ext.types.dtypes import DTYPE_BY_KEY, TensorDtype
from tinker_ext.types.images import ImageAssetPointerChunk, ImageChunk, ImageFormat
from tinker_ext.types.model_input import ModelInput
from tinker_ext.types.optimizers import (
    AdamOptimizerConfig,
    DimuonOptimizerConfig,
    DimuonParams,
    OptimizerConfig,
    OptimParams,
)
from tinker_ext.types.params import AdamParams, LoraConfig, LossFnType, SamplingParams
from tinker_ext.types.sampling import (
    PromptAltTokens,
    SampledSequence,
    SampleResponse,
    StopReason,
)
from tinker_ext.types.service import (
    GetInfoResponse,
    GetServerCapabilitiesResponse,
    ModelData,
    SupportedModel,
    TrainingRun,
    TrainingRunsResponse,
)
from tinker_ext.types.tensor_data import TensorData
from tinker_ext.types.topk import TopkLogprobs, TopkRows
from tinker_ext.types.training import (
    CreateModelResponse,
    ForwardBackwardOutput,
    LossFnOutput,
    OptimStepResponse,
    UnloadModelResponse,
)
from tinker_ext.types.validation import number_count, validate_data, validate_prompt
from tinker_ext.types.weights import (
    LoadWeightsResponse,
    SaveWeightsExternalResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsForSamplerResponseInternal,
    SaveWeightsResponse,
    WeightsInfoResponse,
)

#: Identifiers are text; the names are kept for annotations written against release 0.4.1.
ModelID = str
RequestID = str

__all__ = [
    "DTYPE_BY_KEY",
    "AdamOptimizerConfig",
    "AdamParams",
    "Checkpoint",
    "CheckpointArchiveUrlResponse",
    "CheckpointType",
    "CheckpointsListResponse",
    "CreateModelResponse",
    "Cursor",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "EncodedTextChunk",
    "ExternalWeightsUrlsResponse",
    "ForwardBackwardOutput",
    "GetInfoResponse",
    "GetServerCapabilitiesResponse",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "ImageFormat",
    "LoadWeightsResponse",
    "LoraConfig",
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
    "ParsedCheckpointTinkerPath",
    "PromptAltTokens",
    "RequestErrorCategory",
    "RequestID",
    "SampleResponse",
    "SampledSequence",
    "SamplingParams",
    "SaveWeightsExternalResponse",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsForSamplerResponseInternal",
    "SaveWeightsResponse",
    "StopReason",
    "SupportedModel",
    "TensorData",
    "TensorDtype",
    "TensorInput",
    "TopkLogprobs",
    "TopkRows",
    "TrainingRun",
    "TrainingRunsResponse",
    "UnloadModelResponse",
    "WeightsInfoResponse",
    "number_count",
    "validate_data",
    "validate_prompt",
]
