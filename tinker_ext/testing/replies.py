"""The replies of a test server: scripted ones first, then the defaults.

The defaults are example responses and results for every operation.
"""

from __future__ import annotations

import itertools
import json
import math
import threading
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import Received, Reply

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


def plain_reply(operation: str, path: str) -> Reply | None:
    """The reply to an operation without a future; None for other operations."""
    match operation:
        case "get_training_run":
            return Reply(200, {**_RUN, "training_run_id": path.split("/")[1]})
        case "get_sampler":
            return Reply(200, {"sampler_id": path.split("/")[1], "base_model": "fake/model"})
        case "delete_checkpoint" | "publish_checkpoint" | "unpublish_checkpoint":
            return Reply(204)
        case "set_checkpoint_ttl" | "set_session_project":
            return Reply(204)
        case "get_checkpoint_archive_url":
            return Reply(302, None, {"location": "https://storage.invalid/a.tar?signature=x"})
        case "get_client_config" | "get_client_dynamic_config":
            # As in release 0.4.1, which these servers implement by default.
            return Reply(404, {"detail": "Not Found"})
        case "finish_session" | "cancel_future" | "delete_own_api_key":
            return Reply(200)
    return Reply(200, _BODIES[operation]) if operation in _BODIES else None


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


ScriptedReply: TypeAlias = Reply | Exception | Fault | Callable[[Received], Reply]

# For each operation the field with the owner's id and the field with the sequence number.
_NUMBERED = {
    "create_model": ("session_id", "model_seq_id"),
    "create_sampling_session": ("session_id", "sampling_session_seq_id"),
    "asample": ("sampling_session_id", "seq_id"),
}
_TRAINING = ("model_id", "seq_id")

# The sequence numbers of each client of a sampling session start at a multiple of this
# (release 0.38.0).
_RANGE = 1_000_000_000


class _CompletedSamples:
    """The samples of each client of each sampling session, in order of completion."""

    def __init__(self) -> None:
        self._request_ids: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        self._clients: Counter[str] = Counter()

    def join(self, body: Mapping[str, Any]) -> int:
        """Assign the id of a further client of a sampling session."""
        session_id = body["sampling_session_id"]
        self._clients[session_id] += 1
        return self._clients[session_id]

    def add(self, body: Mapping[str, Any], request_id: str) -> None:
        """Record a completed sample."""
        seq_id = body.get("seq_id")
        if seq_id is not None:
            owner = str(body.get("sampling_session_id")), seq_id // _RANGE
            self._request_ids[owner].append(request_id)

    def since_cursor(self, body: Mapping[str, Any]) -> Any:
        """The response to `retrieve_futures`: completions after the cursor of the request."""
        target, cursor = body["target"], body.get("prev_cursor", 0)
        owner = target["sampling_session_id"], target.get("cloned_sampler_id", 0)
        request_ids = self._request_ids[owner]
        completions = [
            {"state": "finished", "request_id": request_id} for request_id in request_ids[cursor:]
        ]
        return {"completions": completions, "cursor": len(request_ids)}


class Replies:
    """The replies of a server to the operations of the API; the base class of both servers.

    Attributes:
        received: all requests, in order of arrival.
        results: the bodies of `retrieve_future`, by request id.
        counted: the bodies of accepted requests, by owner and sequence number.
        conflicts: requests that reused the sequence number of a different request.
        model_data: the `model_data` in the response to `get_info`, such as a `tokenizer_id`.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.results: dict[str, Any] = {}
        self.counted: dict[tuple[str, ...], Any] = {}
        self.conflicts: list[str] = []
        self.model_data: dict[str, Any] = {"model_name": "fake/model"}
        self._scripted: dict[str, deque[Any]] = defaultdict(deque)
        self._always: dict[str, Any] = {}
        self._request_ids: dict[tuple[str, ...], Reply] = {}
        self._ids = itertools.count(1)
        self._completed = _CompletedSamples()
        self._lock = threading.RLock()

    def respond(self, operation: str, *replies: ScriptedReply) -> None:
        """Script the replies to the next requests of an operation, given by its id.

        Each is a `Reply`, a function from `Received` to a `Reply`, an exception such as
        `httpx.ConnectError`, which `FakeServer` raises, or a `Fault`, which `FaultServer` produces.
        """
        self._scripted[operation].extend(replies)

    def respond_always(self, operation: str, reply: ScriptedReply) -> None:
        """Script the reply to every request of an operation without a reply by `respond`."""
        self._always[operation] = reply

    def respond_by_default(self) -> None:
        """Remove all scripted replies."""
        self._scripted.clear()
        self._always.clear()

    def answer(self, operation: str, *replies: ScriptedReply) -> None:
        """Deprecated name of `respond`."""
        warnings.warn("this name is deprecated; use respond()", DeprecationWarning, stacklevel=2)
        self.respond(operation, *replies)

    def answer_always(self, operation: str, reply: ScriptedReply) -> None:
        """Deprecated name of `respond_always`."""
        warnings.warn(
            "this name is deprecated; use respond_always()", DeprecationWarning, stacklevel=2
        )
        self.respond_always(operation, reply)

    def answer_usually(self) -> None:
        """Deprecated name of `respond_by_default`."""
        warnings.warn(
            "this name is deprecated; use respond_by_default()",
            DeprecationWarning,
            stacklevel=2,
        )
        self.respond_by_default()

    def calls(self, operation: str) -> list[Received]:
        """The requests of an operation, in order of arrival."""
        return [request for request in self.received if request.operation == operation]

    def submitted(self, result: Any) -> Reply:
        """The reply to a submission whose future resolves to `result`."""
        request_id = f"request-{next(self._ids)}"
        self.results[request_id] = result
        return Reply(200, {"request_id": request_id})

    def decide(self, received: Received) -> Any:
        """Record a request and return its scripted reply, or None for the default reply."""
        with self._lock:
            self.received.append(received)
            scripted = self._scripted[received.operation]
            return scripted.popleft() if scripted else self._always.get(received.operation)

    def default_reply(self, received: Received) -> Reply:
        """Process a request and reply; a repeated sequence number gets the first reply again."""
        with self._lock:
            key = _sequence_key(received)
            if key is None:
                return self._process(received)
            if key in self.counted:
                if self.counted[key] != received.body:
                    self.conflicts.append(f"{received.operation} {key}")
                return self._request_ids[key]
            self.counted[key] = received.body
            reply = self._request_ids[key] = self._process(received)
            return reply

    def _process(self, received: Received) -> Reply:
        if isinstance(received.body, bytes):
            return Reply(415, {"detail": "this server accepts JSON only"})
        body = received.body or {}
        if received.operation == "retrieve_future":
            return self._retrieve(str(body.get("request_id")))
        if received.operation == "create_sampling_session":
            return Reply(200, {"sampling_session_id": f"sampling-{next(self._ids)}"})
        if received.operation == "get_info":
            return Reply(200, {"model_id": body.get("model_id"), "model_data": self.model_data})
        if received.operation == "retrieve_futures":
            return Reply(200, self._completed.since_cursor(body))
        if received.operation == "join_sampling_session":
            return Reply(200, {"client_counter": self._completed.join(body)})
        reply = plain_reply(received.operation, received.path)
        if reply is None:
            reply = self.submitted(example_result(received.operation, body))
            if received.operation == "asample":
                self._completed.add(body, reply.body["request_id"])
        return reply

    def _retrieve(self, request_id: str) -> Reply:
        if request_id not in self.results:
            return Reply(404, {"detail": f"no such request: {request_id}"})
        return Reply(200, self.results[request_id])


def decode_body(content: bytes) -> Any:
    """Parse a request body as JSON; None if it is empty, the bytes if it is not JSON."""
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def _sequence_key(received: Received) -> tuple[str, ...] | None:
    """The owner and sequence number of a request; None if it has no number."""
    body = received.body if isinstance(received.body, dict) else {}
    owner, seq_id = _NUMBERED.get(received.operation, _TRAINING)
    if body.get(seq_id) is None:
        return None
    return owner, str(body.get(owner)), seq_id, str(body[seq_id])
