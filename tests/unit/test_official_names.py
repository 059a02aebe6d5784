"""Who knows the official SDK finds its names: those of 0.4.1, and of 0.38.0 what is on the wire."""

from __future__ import annotations

import inspect

import pytest

import tinker_ext as tinker
from tinker_ext import types

#: Public names of release 0.38.0's package, but for those of `ABSENT`.
TOP = """
    AdamOptimizerConfig AdamParams AdminClient APIConnectionError APIError APIFuture
    APIResponseValidationError APIStatusError APITimeoutError AuthenticationError BadRequestError
    BillingError Checkpoint CheckpointType ConflictError Datum DimuonOptimizerConfig DimuonParams
    DmelChunk EncodedTextChunk ForwardBackwardOutput InternalServerError LoraConfig ModelID
    ModelInput ModelInputChunk NotFoundError OptimParams OptimStepResponse
    ParsedCheckpointTinkerPath
    PermissionDeniedError PromptProvenanceSpan RateLimitError RequestFailedError RestClient
    SampledProvenanceSpan SampledSequence
    SampleResponse SamplingClient SamplingParams ServiceClient StopReason TensorData TensorDtype
    TinkerError TrainingClient TrainingRun types UnprocessableEntityError
"""
#: What it has beside them, and why it is not here.
ABSENT = {
    "BackcompatSamplingClientFuture": "clients are their own results",
    "BackcompatTrainingClientFuture": "clients are their own results",
    "ExperimentalWarning": "nothing here warns so",
    "LossHandle": "losses run in the client",
    "OptimStepRequest": "requests are the transport's",
    "PerDatumLossFn": "losses run in the client",
    "RequestOptions": "settings of the client take its place",
    "SampleRequest": "requests are the transport's",
    "Timeout": "a number of seconds takes its place",
    "auth": "tinker-ext doctor takes its place",
}
TYPES = """
    AccessibleSearchOwner ActiveSessionStatusQuery AuditLogEntry AuditLogResponse
    BillingUsageEvent BillingUsageResponse BillingUsageSession CancelledSessionStatusQuery
    CheckpointBillingEvent CheckpointsListResponse ClientFinishedSessionStatusQuery
    ClientSessionFinished Cursor CurrentCheckpointStorageUsageItem
    CurrentCheckpointStorageUsageResponse ExternalWeightsUrlsResponse FailedSessionStatusQuery
    GetInfoResponse GetSamplerResponse GetServerCapabilitiesResponse GetSessionResponse
    ListSessionsResponse LoadWeightsResponse ModelData OptimizerConfig OwnSearchOwner
    PromptAltTokens SamplingPrefillBillingEvent SamplingSampleBillingEvent
    SaveWeightsExternalResponse SaveWeightsForSamplerResponse SaveWeightsResponse SearchOwner
    SessionActive SessionCancelled SessionFailed SessionSearchCursor SessionSearchRequest
    SessionSearchResponse SessionStatus SessionStatusQuery SessionSummary StorageBillingEvent
    SupportedModel TrainingBillingEvent TrainingRunsResponse UserSearchOwner WeightsInfoResponse
    WhoamiResponse
"""
#: Methods of each client, with the arguments in their order. An `*_async` name goes with each but
#: those that are told apart by `AT_ONCE`.
METHODS: dict[type, dict[str, str]] = {
    tinker.ServiceClient: {
        "close": "",
        "copy_weights": "path ttl_seconds weights_access_token",
        "create_lora_training_client": "base_model rank seed train_mlp train_attn train_unembed "
        "user_metadata optimizer",
        "create_rest_client": "",
        "create_sampling_client": "model_path base_model record_stability_info",
        "create_training_client_from_state": "path base_model user_metadata weights_access_token "
        "optimizer",
        "create_training_client_from_state_with_optimizer": "path base_model user_metadata "
        "weights_access_token",
        "get_server_capabilities": "",
    },
    tinker.TrainingClient: {
        "create_sampling_client": "model_path record_stability_info",
        "forward": "data loss_fn loss_fn_config",
        "forward_backward": "data loss_fn loss_fn_config",
        "forward_backward_custom": "data loss_fn",
        "get_info": "",
        "get_tokenizer": "",
        "load_state": "path weights_access_token",
        "load_state_with_optimizer": "path weights_access_token",
        "optim_step": "optim_params adam_params",
        "save_state": "name ttl_seconds overwrite user_metadata",
        "save_weights_and_get_sampling_client": "name kind record_stability_info",
        "save_weights_external": "name ttl_seconds age_encryption_recipients",
        "save_weights_for_sampler": "name ttl_seconds user_metadata",
    },
    tinker.SamplingClient: {
        "compute_logprobs": "prompt prompt_logprobs_last_n",
        "from_sampler_handle": "handle api_key",
        "get_base_model": "",
        "get_sampler_handle": "",
        "get_tokenizer": "",
        "sample": "prompt num_samples sampling_params include_prompt_logprobs "
        "topk_prompt_logprobs topk_sample_logprobs target_prompt_logprobs prompt_alt_tokens_k "
        "prompt_logprobs_last_n",
    },
    tinker.RestClient: {
        "assign_session_project": "session_id project_id",
        "copy_weights": "path destination_project_id ttl_seconds weights_access_token",
        "delete_checkpoint": "training_run_id checkpoint_id",
        "delete_checkpoint_from_tinker_path": "tinker_path",
        "export_session_trace": "session_id",
        "get_external_weights_urls": "tinker_path",
        "get_sampler": "sampler_id",
        "get_server_capabilities": "",
        "get_session": "session_id access_scope",
        "get_training_run": "training_run_id access_scope",
        "get_training_run_by_tinker_path": "tinker_path access_scope",
        "get_weights_info_by_tinker_path": "tinker_path",
        "list_checkpoints": "training_run_id",
        "list_sessions": "limit offset access_scope",
        "list_training_runs": "limit offset access_scope project_id",
        "list_user_checkpoints": "limit offset",
        "publish_checkpoint_from_tinker_path": "tinker_path",
        "search_sessions": "request",
        "set_checkpoint_ttl_from_tinker_path": "tinker_path ttl_seconds",
        "unpublish_checkpoint_from_tinker_path": "tinker_path",
        "whoami": "",
    },
    tinker.AdminClient: {
        "get_audit_log": "event_type day",
        "get_billing_usage": "starting_on ending_before",
        "get_current_checkpoint_storage_usage": "project_id",
    },
}
AT_ONCE = {
    "close",
    "copy_weights",
    "create_rest_client",
    "from_sampler_handle",
    "get_sampler_handle",
    "get_tokenizer",
}
METHODS[tinker.RestClient] |= METHODS[tinker.AdminClient]
CALLS = [(kind, name) for kind, methods in METHODS.items() for name in methods]


@pytest.mark.parametrize("name", TOP.split())
def test_the_package_has_the_name(name: str) -> None:
    assert name in tinker.__all__
    assert getattr(tinker, name) is not None


@pytest.mark.parametrize("name", TYPES.split())
def test_the_types_have_the_name(name: str) -> None:
    assert name in types.__all__


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_said_to_be_absent_is(name: str) -> None:
    assert name not in tinker.__all__


@pytest.mark.parametrize(("kind", "name"), CALLS, ids=[f"{k.__name__}.{n}" for k, n in CALLS])
def test_the_methods_take_what_the_official_ones_take(kind: type, name: str) -> None:
    names = [name] if name in AT_ONCE else [name, f"{name}_async"]
    for one in names:
        taken = list(inspect.signature(getattr(kind, one)).parameters)
        wanted = METHODS[kind][name].split()
        assert [argument for argument in taken if argument in wanted] == wanted


def test_all_that_is_exported_is_there() -> None:
    assert all(getattr(tinker, name) is not None for name in tinker.__all__)
    assert dir(tinker) == sorted(tinker.__all__)
