"""The constant responses of the scripted server."""

from __future__ import annotations

from typing import Any

from conformance.interop.environments import ROOT

SESSION = "session-1"
RUN = "session-1:train:0"
MODEL = RUN
SAMPLER = "session-1:sample:0"
PROJECT = "project-1"
TIME = "2026-07-01T12:00:00Z"
BASE_MODEL = "Qwen/Qwen3-8B"
TOKENIZER = str(ROOT / "tinker_ext/embedded/data/tokenizer")

CHECKPOINT = {
    "checkpoint_id": "weights/interop",
    "checkpoint_type": "training",
    "time": TIME,
    "tinker_path": f"tinker://{RUN}/weights/interop",
    "size_bytes": 1024,
    "public": False,
    "user_metadata": {"a": "b"},
    "expires_at": TIME,
}
SAMPLER_CHECKPOINT = {
    **CHECKPOINT,
    "checkpoint_id": "sampler_weights/interop",
    "checkpoint_type": "sampler",
    "tinker_path": f"tinker://{RUN}/sampler_weights/interop",
}
TRAINING_RUN = {
    "training_run_id": RUN,
    "base_model": BASE_MODEL,
    "model_owner": "tml:user:1",
    "is_lora": True,
    "corrupted": False,
    "lora_rank": 8,
    "last_request_time": TIME,
    "last_checkpoint": CHECKPOINT,
    "last_sampler_checkpoint": SAMPLER_CHECKPOINT,
    "user_metadata": {"name": "first"},
}
CURSOR = {"offset": 0, "limit": 20, "total_count": 1}
SESSION_SUMMARY = {
    "session_id": SESSION,
    "created_at": TIME,
    "owner": "tml:user:1",
    "project_id": PROJECT,
    "checkpoints_count": 2,
    "display_name": "nightly run",
    "user_metadata": {"a": "b"},
    "checkpoint_storage_bytes": 2048,
}
# Each kind of session status.
STATUSES = [
    {"type": "active"},
    {"type": "cancelled", "detail": "by hand"},
    {"type": "client_finished", "reason": {"type": "success"}, "detail": None},
    {
        "type": "failed",
        "category": "user",
        "reason": {"type": "request", "request_id": "request-1", "request_type": "Sample"},
        "message": "no",
    },
]
USED = {
    "bucket_start": TIME,
    "bucket_end": "2026-07-01T13:00:00Z",
    "base_model": BASE_MODEL,
    "user_id": "1",
    "user_name": "A",
    "session_id": SESSION,
    "project_id": PROJECT,
    "estimated_cost_usd": 0.5,
    "effective_rate_usd_per_million_tokens": 1.5,
    "effective_rate_usd_per_gigabyte_month": None,
}
# Each kind of billed item.
COSTS = [
    {"type": "training", "token_count": 10},
    {"type": "sampling_prefill", "cached": True, "token_count": 10},
    {"type": "sampling_sample", "token_count": 10},
    {"type": "checkpoint", "count": 1},
    {"type": "storage", "gigabyte_hours": 1.5},
]

# A pattern for method and path below /api/v1, status code, content, headers.
CANNED_RESPONSES: list[tuple[str, int, Any, dict[str, str]]] = [
    (
        "POST create_session",
        200,
        {
            "type": "create_session",
            "session_id": SESSION,
            "info_message": "welcome",
            "warning_message": None,
            "error_message": None,
        },
        {},
    ),
    ("POST join_sampling_session", 200, {"type": "join_sampling_session", "client_counter": 7}, {}),
    ("POST sessions/[^/]+/finish", 200, {}, {}),
    ("POST telemetry", 200, {"status": "accepted"}, {}),
    ("GET healthz", 200, {"status": "ok"}, {}),
    (
        "GET get_server_capabilities",
        200,
        {
            "supported_models": [
                {
                    "model_name": BASE_MODEL,
                    "max_context_length": 32768,
                    "trainable": True,
                    "sampleable": True,
                }
            ]
        },
        {},
    ),
    (
        "POST get_info",
        200,
        {
            "type": "get_info",
            "model_id": MODEL,
            "model_name": BASE_MODEL,
            "is_lora": True,
            "lora_rank": 8,
            "model_data": {
                "arch": "qwen3",
                "model_name": BASE_MODEL,
                "tokenizer_id": TOKENIZER,
            },
            "optimizer_config": {"type": "adamw"},
        },
        {},
    ),
    (
        "POST weights_info",
        200,
        {
            "base_model": BASE_MODEL,
            "is_lora": True,
            "lora_rank": 8,
            "train_unembed": True,
            "train_mlp": True,
            "train_attn": True,
            "optimizer_config": {"type": "adamw"},
        },
        {},
    ),
    ("POST copy_weights", 200, {"tinker_path": f"tinker://{RUN}/weights/copied"}, {}),
    ("POST cancel_future", 200, {}, {}),
    (
        "GET samplers/[^/]+",
        200,
        {
            "sampler_id": SAMPLER,
            "base_model": BASE_MODEL,
            "model_path": f"tinker://{RUN}/sampler_weights/interop",
        },
        {},
    ),
    ("GET training_runs", 200, {"training_runs": [TRAINING_RUN], "cursor": CURSOR}, {}),
    ("GET training_runs/[^/]+", 200, TRAINING_RUN, {}),
    (
        "GET training_runs/[^/]+/checkpoints",
        200,
        {"checkpoints": [CHECKPOINT, SAMPLER_CHECKPOINT], "cursor": None},
        {},
    ),
    ("GET checkpoints", 200, {"checkpoints": [CHECKPOINT], "cursor": CURSOR}, {}),
    ("DELETE training_runs/[^/]+/checkpoints/[^/]+/[^/]+", 200, {}, {}),
    ("(POST|DELETE) training_runs/[^/]+/checkpoints/[^/]+/[^/]+/publish", 200, {}, {}),
    ("PUT training_runs/[^/]+/checkpoints/[^/]+/[^/]+/ttl", 200, {}, {}),
    (
        "GET training_runs/[^/]+/checkpoints/[^/]+/[^/]+/archive",
        302,
        None,
        {
            "location": "http://127.0.0.1:9/archive.tar.gz",
            "expires": "Wed, 01 Jul 2026 12:15:00 GMT",
        },
    ),
    (
        "GET training_runs/[^/]+/checkpoints/[^/]+/[^/]+/external_weights_urls",
        200,
        {"urls": {"adapter.safetensors": "http://127.0.0.1:9/a"}, "expires": TIME},
        {},
    ),
    ("GET sessions", 200, {"sessions": [SESSION]}, {}),
    (
        "GET sessions/[^/]+",
        200,
        {
            "training_run_ids": [RUN],
            "sampler_ids": [SAMPLER],
            "user_metadata": {"a": "b"},
            "display_name": "nightly run",
        },
        {},
    ),
    (
        "POST sessions/search",
        200,
        {
            "sessions": [{**SESSION_SUMMARY, "status": status} for status in STATUSES],
            "next_cursor": {"last_created_at": TIME, "last_session_id": SESSION},
        },
        {},
    ),
    ("PUT sessions/[^/]+/project", 200, {}, {}),
    (
        "GET sessions/[^/]+/trace_export",
        200,
        {"status": "ready", "url": "http://127.0.0.1:9/trace", "error": None},
        {},
    ),
    (
        "GET audit",
        200,
        {
            "entries": [
                {
                    "timestamp": TIME,
                    "event": "checkpoint.published",
                    "event_details": {"by": "tml:user:1"},
                    "model_id": MODEL,
                    "tinker_path": f"tinker://{RUN}/weights/interop",
                    "purpose": None,
                }
            ]
        },
        {},
    ),
    (
        "GET billing/usage/events",
        200,
        {
            "data": [{**USED, "event_info": cost} for cost in COSTS],
            "sessions": {SESSION: {"user_metadata": {"a": "b"}}},
            "cost_data_through": TIME,
        },
        {},
    ),
    (
        "GET billing/usage/checkpoints/current",
        200,
        {
            "effective_rate_usd_per_gigabyte_month": 0.25,
            "data": [
                {
                    "project_id": PROJECT,
                    "org_user_urn": "tml:user:1",
                    "user_email": "a@b.c",
                    "user_name": "A",
                    "checkpoint_count": 2,
                    "size_bytes": 2048,
                    "size_gigabytes": 2e-6,
                    "estimated_monthly_cost_usd": 5e-7,
                }
            ],
        },
        {},
    ),
    (
        "GET auth/apikey/me",
        200,
        {
            "key_id": 1,
            "name": "interop",
            "note": "",
            "details": {
                "org_details": {"name": "Org"},
                "user_details": {"email": "a@b.c"},
            },
        },
        {},
    ),
    ("DELETE auth/apikey/me", 200, {}, {}),
]
