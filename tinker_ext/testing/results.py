"""Example responses and results for every operation."""

from __future__ import annotations

import math
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
Plain = tuple[int, Any, dict[str, str]]


def plain_reply(operation: str, path: str) -> Plain | None:
    """The status, body and headers of an operation without a future; None for other operations."""
    match operation:
        case "create_auth_token":
            body: Any = {"jwt": "a-made-up-token"}
        case "create_session":
            body = {"session_id": "session-1"}
        case "session_heartbeat" | "send_telemetry" | "healthz":
            body = {"status": "ok"}
        case "get_server_capabilities":
            body = {"supported_models": [{"model_name": "fake/model"}]}
        case "get_training_run":
            body = {**_RUN, "training_run_id": path.split("/")[1]}
        case "list_training_runs":
            body = {"training_runs": [_RUN], "cursor": _cursor()}
        case "list_checkpoints" | "list_user_checkpoints":
            body = {"checkpoints": [_CHECKPOINT], "cursor": _cursor()}
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
        case _:
            body = _later_reply(operation, path)
    return None if body is None else (200, body, {})


def _later_reply(operation: str, path: str) -> Any:
    """The body of an operation of a later release; None for operations with a future."""
    match operation:
        case "get_session":
            return {"training_run_ids": ["run-1"], "sampler_ids": ["sampler-1"]}
        case "list_sessions":
            return {"sessions": ["session-1"]}
        case "search_sessions":
            return {"sessions": [_SESSION]}
        case "get_session_trace_export":
            return {"status": "ready", "url": "https://storage.invalid/a.pftrace?signature=x"}
        case "get_sampler":
            return {"sampler_id": path.split("/")[1], "base_model": "fake/model"}
        case "get_weights_info":
            return {"base_model": "fake/model", "is_lora": True, "lora_rank": 8}
        case "copy_weights":
            return {"tinker_path": "tinker://run-2/weights/a"}
        case "get_external_weights_urls":
            urls = {"adapter.safetensors": "https://storage.invalid/a?signature=x"}
            return {"urls": urls, "expires": _TIME}
        case "get_own_api_key":
            owner = {"org_details": {"name": "o"}, "user_details": {"email": "me@example.org"}}
            return {"key_id": 1, "name": "key", "note": "", "details": owner}
        case "get_audit_log":
            return {"entries": [{"timestamp": _TIME, "event": "checkpoint_saved"}]}
        case "get_billing_usage":
            return {"data": [_USE], "sessions": {}}
        case "get_checkpoint_storage_usage":
            item = {"checkpoint_count": 1, "size_bytes": 10**9, "size_gigabytes": 1.0}
            return {"data": [item]}
    return None


def _cursor() -> dict[str, int]:
    return {"offset": 0, "limit": 20, "total_count": 1}


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
