"""Each kept release has its endpoints and types; other releases can be read as well."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from codegen import build
from codegen.contract.release import read_contract, undescribed
from codegen.documents import load_yaml
from codegen.lock import locked_wheel
from codegen.paths import RELEASES, ROOT
from codegen.wheel.wheels import open_wheel

Json = dict[str, Any]

KEPT = ("0.4.1", "0.24.1", "0.25.0", "0.32.0", "0.38.0")

RUN = "training_runs/{training_run_id}"
CHECKPOINT = RUN + "/checkpoints/{checkpoint_kind}/{checkpoint_name}"

# Every endpoint of release 0.38.0, those of its command line too.
ENDPOINTS = f"""
POST client/config, POST client/dynamic_config, POST auth/token,
GET auth/apikey/me, DELETE auth/apikey/me, POST create_session, POST session_heartbeat,
POST sessions/{{session_id}}/finish, POST create_sampling_session, POST join_sampling_session,
GET get_server_capabilities, GET healthz, POST telemetry, POST create_model, POST get_info,
POST forward_backward, POST optim_step, POST create_custom_loss, POST copy_weights,
POST save_weights, POST load_weights, POST save_weights_for_sampler, POST save_weights_external,
POST weights_info, GET {RUN}/checkpoints, DELETE {CHECKPOINT},
GET {CHECKPOINT}/external_weights_urls, POST {CHECKPOINT}/publish, DELETE {CHECKPOINT}/publish,
PUT {CHECKPOINT}/ttl, GET checkpoints, POST asample, POST retrieve_future, POST retrieve_futures,
POST cancel_future, GET samplers/{{sampler_id}}, GET {RUN}, GET training_runs,
GET sessions/{{session_id}}, GET sessions, POST sessions/search,
PUT sessions/{{session_id}}/project, GET sessions/{{session_id}}/trace_export,
GET audit, GET billing/usage/events, GET billing/usage/checkpoints/current
"""

# Fields that 0.38.0 added or changed since 0.4.1. `*` marks a required field.
FIELDS = {
    "CreateSessionRequest": "tags* user_metadata* sdk_version* project_id display_name type",
    "CreateModelRequest": "session_id* model_seq_id* base_model* user_metadata lora_config "
    "optimizer_config type",
    "AdamOptimizerConfig": "type",
    "DimuonOptimizerConfig": "type version",
    "AdamParams": "learning_rate beta1 beta2 eps weight_decay grad_clip_norm",
    "DimuonParams": "type learning_rate* grad_clip_norm beta1",
    "OptimStepRequest": "adam_params optimizer_params model_id* seq_id type",
    "LoadWeightsRequest": "model_id seq_id session_id model_seq_id base_model user_metadata path* "
    "optimizer* optimizer_config weights_access_token type",
    "LoadWeightsResponse": "path model_id type",
    "SaveWeightsRequest": "model_id* path seq_id ttl_seconds overwrite user_metadata type",
    "SaveWeightsForSamplerRequest": "model_id* path sampling_session_seq_id kind seq_id "
    "ttl_seconds user_metadata type",
    "SaveWeightsExternalRequest": "model_id* path* seq_id ttl_seconds "
    "age_encryption_recipients type",
    "SaveWeightsExternalResponseInternal": "path size_bytes type",
    "SampleRequest": "num_samples prompt* sampling_params* base_model model_path "
    "sampling_session_id seq_id prompt_logprobs topk_prompt_logprobs topk_sample_logprobs "
    "target_prompt_logprobs prompt_alt_tokens_k prompt_logprobs_last_n record_stability_info type",
    "UntypedAPIFuture": "request_id* model_id sample_sequence_ids",
    "FutureRetrieveRequest": "request_id* allow_metadata_only",
    "MetadataOnlyResponse": "status* response_payload_size*",
    "FuturesRetrieveRequest": "target* prev_cursor timeout retrieved_request_ids",
    "SamplingSessionFuturesTarget": "type sampling_session_id* cloned_sampler_id",
    "FuturesRetrieveResponse": "completions* cursor*",
    "FutureFinished": "state request_id* response_payload_uncompressed_size",
    "FutureFailed": "state request_id*",
    "JoinSamplingSessionRequest": "sampling_session_id* type",
    "JoinSamplingSessionResponse": "client_counter* type",
    "ClientConfigRequest": "sdk_version*",
    "GetInfoResponse": "model_data* model_id* optimizer_config is_lora lora_rank model_name type",
    "SupportedModel": "model_name max_context_length trainable sampleable",
    "ImageChunk": "data* format* expected_tokens type",
    "ImageAssetPointerChunk": "format* location* expected_tokens type",
    "DmelChunk": "dmel* type",
    "TensorData": "data* dtype* shape sparse_crow_indices sparse_col_indices",
    "Checkpoint": "checkpoint_id* checkpoint_type* time* tinker_path* size_bytes public "
    "user_metadata expires_at",
    "WeightsInfoResponse": "base_model* optimizer_config is_lora* lora_rank train_unembed "
    "train_mlp train_attn",
    "GetSamplerResponse": "sampler_id* base_model* model_path",
    "GetSessionResponse": "training_run_ids* sampler_ids* user_metadata display_name",
    "ListSessionsResponse": "sessions*",
    "SessionSearchRequest": "session_id project_ids user_metadata display_name owner statuses "
    "limit cursor",
    "SessionSearchCursor": "last_created_at* last_session_id*",
    "SessionSearchResponse": "sessions* next_cursor",
    "SessionSummary": "session_id* created_at* owner* project_id* status checkpoints_count* "
    "display_name user_metadata checkpoint_storage_bytes",
    "SessionFailed": "type category* reason* message*",
    "SessionCancelled": "type detail",
    "ClientSessionFinished": "type reason* detail",
    "SessionActive": "type",
    "CopyWeightsRequest": "source_path* session_id model_seq_id destination_project_id ttl_seconds "
    "weights_access_token",
    "CopyWeightsResponse": "tinker_path*",
    "ExternalWeightsUrlsResponse": "urls* expires*",
    "AuditLogEntry": "timestamp* event* event_details model_id tinker_path purpose",
    "GetBillingUsageRequest": "starting_on* ending_before*",
    "BillingUsageResponse": "data* sessions cost_data_through",
    "BillingUsageEvent": "bucket_start* bucket_end* base_model user_id user_name session_id "
    "project_id estimated_cost_usd effective_rate_usd_per_million_tokens "
    "effective_rate_usd_per_gigabyte_month event_info*",
    "CurrentCheckpointStorageUsageResponse": "effective_rate_usd_per_gigabyte_month data*",
    "CurrentCheckpointStorageUsageItem": "project_id org_user_urn user_email user_name "
    "checkpoint_count* size_bytes* size_gigabytes* estimated_monthly_cost_usd",
    "WhoamiResponse": "user_urn* org_urn* email",
    "AuthTokenResponse": "jwt*",
    "CreateCustomLossRequest": "session_id* custom_loss_seq_id* name* inputs* graph* type",
    "CustomLossInput": "name* rank*",
    "CustomLossNode": "op* name* target* args kwargs",
    "CustomLossGraph": "format nodes*",
    "CreateCustomLossResponse": "loss_id* type",
    "TelemetrySendRequest": "events* platform* sdk_version* session_id* process_uuid*",
    "SelfApiKeyResponse": "key_id* name* note* details*",
    "SessionFinishRequest": "reason* detail*",
    "CheckpointTtlRequest": "ttl_seconds*",
    "SampledSequence": "stop_reason* sequence_id tokens* logprobs topk_logprobs",
    "SampleResponse": "sequences* prompt_logprobs topk_prompt_logprobs target_prompt_logprobs "
    "prompt_cache_hit_tokens prompt_alt_tokens",
    "PromptAltTokens": "tokens* logprobs*",
}


@pytest.fixture(scope="module", params=KEPT)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def contract(release: str) -> Json:
    return load_yaml(RELEASES / f"{release}.yaml")


@pytest.fixture(scope="module")
def newest() -> Json:
    return load_yaml(RELEASES / "0.38.0.yaml")


def test_kept_releases() -> None:
    assert build.kept_releases() == list(KEPT)


def test_newest_release_has_every_endpoint(newest: Json) -> None:
    result = {
        f"{method.upper()} {path.removeprefix('/api/v1/')}"
        for path, item in newest["paths"].items()
        for method in item
    }
    assert result == {line.strip() for line in ENDPOINTS.replace("\n", " ").split(",")}


@pytest.mark.parametrize("name", FIELDS)
def test_newest_release_has_every_field(newest: Json, name: str) -> None:
    schema = newest["components"]["schemas"][name]
    required = schema.get("required", [])
    result = {field + ("*" if field in required else "") for field in schema["properties"]}
    assert result == set(FIELDS[name].split())


def test_values_of_the_newest_release(newest: Json) -> None:
    schemas = newest["components"]["schemas"]
    config = schemas["ClientConfigResponse"]["properties"]
    assert config["sample_dispatch_bytes_semaphore_size"]["default"] == 10 * 1024 * 1024
    assert config["fwdbwd_max_chunk_bytes_count"]["default"] == 5_000_000
    assert len(schemas["LossFnType"]["enum"]) == 8
    assert schemas["CreateModelRequest"]["properties"]["optimizer_config"]["default"] == {
        "type": "adamw"
    }
    assert schemas["SessionSearchRequest"]["properties"]["limit"]["maximum"] == 200
    body = newest["paths"]["/api/v1/forward_backward"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/x-protobuf"}


def test_release_in_which_protobuf_became_mandatory() -> None:
    bodies = {
        name: set(
            load_yaml(RELEASES / f"{name}.yaml")["paths"]["/api/v1/forward_backward"]["post"][
                "requestBody"
            ]["content"]
        )
        for name in ("0.4.1", "0.24.1", "0.25.0")
    }
    packed = "application/x-protobuf"
    assert bodies == {
        "0.4.1": {"application/json"},
        "0.24.1": {"application/json", packed},
        "0.25.0": {packed},
    }


def test_a_contract_is_valid_and_described(contract: Json) -> None:
    validate(contract)
    assert "x-unread" not in contract
    assert undescribed(contract) == []


def test_contract_has_every_path_and_class_of_the_wheel(contract: Json, release: str) -> None:
    """Checked by regular expressions, independently of the reconstruction."""
    wheel = open_wheel(release)
    ours = {re.sub(r"\{[^}]*\}", "{}", path) for path in contract["paths"]}
    for name, text in wheel.modules.items():
        for path in re.findall(r"^\s+f?\"(/api/v1/[^\"\s]+)\",?$", text, re.M):
            two_segments = re.sub(r"\{checkpoint_id\}", "{}/{}", path)
            assert re.sub(r"\{[^}]*\}", "{}", two_segments) in ours, (name, path)
        if name.startswith("tinker.types."):
            for title in re.findall(r"^class ([A-Z]\w+)", text, re.M):
                assert title in contract["components"]["schemas"], (name, title)


def test_every_operation_has_a_retry_mark(contract: Json) -> None:
    for item in contract["paths"].values():
        for operation in item.values():
            assert operation["x-retry"] in {"safe", "sequenced", "never"}, operation["operationId"]
            assert operation["x-retry-why"]


@pytest.mark.parametrize("name", ["0.1.0", "0.16.1", "0.30.0", "0.30.3"])
def test_other_release_gives_a_valid_document_or_lists_gaps(name: str) -> None:
    """The first release and three others, none of which is kept."""
    assert name not in KEPT
    contract = read_contract(locked_wheel(name))
    validate(contract.document)
    assert contract.document.get("x-unread", []) == list(contract.gaps)
    assert len(contract.document["paths"]) >= 15


def test_trial_does_not_change_kept_releases(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in RELEASES.iterdir()}
    command = (sys.executable, str(ROOT / "scripts" / "spec.py"), "0.4.1", "--to", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "25 operations" in done.stdout
    assert (tmp_path / "0.4.1.yaml").exists()
    assert {path: path.read_bytes() for path in RELEASES.iterdir()} == before
