"""Example responses and results for every operation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TIME = "2026-01-01T00:00:00Z"
_CHECKPOINT = {
    "checkpoint_id": "weights/a",
    "checkpoint_type": "training",
    "time": _TIME,
    "tinker_path": "tinker://run-1/weights/a",
}
_RUN = {
    "training_run_id": "run-1",
    "base_model": "fake/model",
    "model_owner": "me",
    "is_lora": True,
    "lora_rank": 8,
    "last_request_time": _TIME,
}
_SESSION = {
    "session_id": "session-1",
    "created_at": _TIME,
    "owner": "me",
    "project_id": "project-1",
    "checkpoints_count": 1,
}
_USE = {
    "bucket_start": _TIME,
    "bucket_end": "2026-01-01T01:00:00Z",
    "event_info": {"type": "training", "token_count": 7},
}
_CURSOR = {"offset": 0, "limit": 20, "total_count": 1}
_CHECKPOINTS = {"checkpoints": [_CHECKPOINT], "cursor": _CURSOR}
_OK = {"status": "ok"}

#: The bodies of operations without a future.
_BODIES: Mapping[str, Any] = {
    "copy_weights": {"tinker_path": "tinker://run-2/weights/a"},
    "create_auth_token": {"jwt": "a-made-up-token"},
    "create_session": {"session_id": "session-1"},
    "get_audit_log": {"entries": [{"timestamp": _TIME, "event": "checkpoint_saved"}]},
    "get_billing_usage": {"data": [_USE], "sessions": {}},
    "get_checkpoint_storage_usage": {
        "data": [{"checkpoint_count": 1, "size_bytes": 10**9, "size_gigabytes": 1.0}]
    },
    "get_external_weights_urls": {
        "urls": {"adapter.safetensors": "https://storage.invalid/a?signature=x"},
        "expires": _TIME,
    },
    "get_health": _OK,
    "get_own_api_key": {
        "key_id": 1,
        "name": "key",
        "note": "",
        "details": {"org_details": {"name": "o"}, "user_details": {"email": "me@example.org"}},
    },
    "get_server_capabilities": {"supported_models": [{"model_name": "fake/model"}]},
    "get_session": {"training_run_ids": ["run-1"], "sampler_ids": ["sampler-1"]},
    "get_session_trace_export": {
        "status": "ready",
        "url": "https://storage.invalid/a.pftrace?signature=x",
    },
    "get_weights_info": {"base_model": "fake/model", "is_lora": True, "lora_rank": 8},
    "list_checkpoints": _CHECKPOINTS,
    "list_sessions": {"sessions": ["session-1"]},
    "list_training_runs": {"training_runs": [_RUN], "cursor": _CURSOR},
    "list_user_checkpoints": _CHECKPOINTS,
    "search_sessions": {"sessions": [_SESSION]},
    "send_telemetry": _OK,
    "session_heartbeat": _OK,
}
Plain = tuple[int, Any, dict[str, str]]


def plain_reply(operation: str, path: str) -> Plain | None:
    """The status, body and headers of an operation without a future; None for other operations."""
    match operation:
        case "get_training_run":
            return 200, {**_RUN, "training_run_id": path.split("/")[1]}, {}
        case "get_sampler":
            return 200, {"sampler_id": path.split("/")[1], "base_model": "fake/model"}, {}
        case "delete_checkpoint" | "publish_checkpoint" | "unpublish_checkpoint":
            return 204, None, {}
        case "set_checkpoint_ttl" | "set_session_project":
            return 204, None, {}
        case "get_checkpoint_archive_url":
            return 302, None, {"location": "https://storage.invalid/a.tar?signature=x"}
        case "get_client_config" | "get_client_dynamic_config":
            # As in release 0.4.1, which these servers implement by default.
            return 404, {"detail": "Not Found"}, {}
        case "finish_session" | "cancel_future" | "delete_own_api_key":
            return 200, None, {}
    return (200, _BODIES[operation], {}) if operation in _BODIES else None


def example_result(operation: str, body: Any) -> Any:
    """The result of an operation with a future."""
    match operation:
        case "create_model":
            return {"model_id": f"{body['session_id']}:train:{body['model_seq_id']}"}
        case "forward" | "forward_backward":
            data = body.get("forward_input") or body["forward_backward_input"]
            return _loss(data["data"])
        case "optim_step":
            return {"metrics": {}}
        case "unload_model":
            return {"model_id": body["model_id"]}
        case "save_weights":
            return {"path": f"tinker://{body['model_id']}/weights/{body['path']}"}
        case "save_weights_for_sampler":
            if body.get("path") is None:
                return {"sampling_session_id": f"sampling-of-{body['sampling_session_seq_id']}"}
            return {"path": f"tinker://{body['model_id']}/sampler_weights/{body['path']}"}
        case "save_weights_external":
            path = f"tinker://{body['model_id']}/external_weights/{body['path']}"
            return {"path": path, "size_bytes": 1000}
        case "load_weights":
            return {"path": body["path"]}
        case "asample":
            return _sample(body)
    return {}


def _sample(body: dict[str, Any]) -> Any:
    """Three tokens per sequence; if requested, a logprob of -1 per prompt token after the first."""
    sequence = {"stop_reason": "length", "tokens": [1, 2, 3], "logprobs": [-1.0, -1.0, -1.0]}
    result: dict[str, Any] = {"sequences": [sequence] * body["num_samples"]}
    if body.get("prompt_logprobs"):
        count = sum(len(chunk.get("tokens", ())) for chunk in body["prompt"]["chunks"])
        result["prompt_logprobs"] = [None, *[-1.0] * (count - 1)]
    return result


def _loss(data: list[Any]) -> Any:
    """A logprob of -1 per target."""
    sizes = [_size(datum["loss_fn_inputs"]["target_tokens"]) for datum in data]
    return {
        "loss_fn_output_type": "logprobs",
        "loss_fn_outputs": [
            {"logprobs": {"data": [-1.0] * size, "dtype": "float32", "shape": [size]}}
            for size in sizes
        ],
        "metrics": {"loss:sum": float(sum(sizes))},
    }


def _size(tensor: dict[str, Any]) -> int:
    """The number of elements of a tensor; of a CSR tensor, those of the dense matrix."""
    shape = tensor.get("shape")
    return len(tensor["data"]) if shape is None else math.prod(shape)
