"""A server with precomputed results, for measuring the cost of a client alone.

    python benchmarks/stub_server.py PORT [PROTOCOL] [SECONDS] [together]

Each result is ready after SECONDS (default 0). PROTOCOL is 0.4.1 (JSON, the default) or 0.38.0
(protobuf, with the default of every flag). With `together`, clients of 0.38.0 poll for all samples
with one request instead of one per sample.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import uvicorn
from tinker_api.proto import tinker_public_pb2 as pb

TOKENS = list(range(64))
LOGPROBS = [-0.5] * 64
PROTOBUF = b"application/x-protobuf"
# Clients recognize the release by these flags, and use defaults for all others.
FLAGS = {"fwdbwd_max_chunk_len": 1024, "custom_loss_server_side": False}
# Seconds for which the hosted service holds a batched poll (release 0.38.0).
HOLD = 30.0
_ids = itertools.count()
_results: dict[str, Any] = {}
_completed: list[str] = []
_new_completions = asyncio.Event()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    operation = scope["path"].partition("/api/v1/")[2]
    result = await (respond if PROTOCOL == "0.4.1" else respond_0_38)(operation, body)
    kind = PROTOBUF if isinstance(result, bytes) else b"application/json"
    content = result if isinstance(result, bytes) else orjson.dumps(result)
    status = 404 if result == NOT_FOUND else 200
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


NOT_FOUND = {"detail": "Not Found"}


async def respond(operation: str, body: bytes) -> Any:
    match operation:
        case "client/config" | "client/dynamic_config":
            return NOT_FOUND
        case "create_session":
            return {"session_id": "session", "type": "create_session"}
        case "session_heartbeat":
            return {"type": "session_heartbeat"}
        case "telemetry":
            return {"status": "accepted"}
        case "create_sampling_session":
            return {"sampling_session_id": "sampling", "type": "create_sampling_session"}
        case "asample":
            sequence = {"stop_reason": "length", "tokens": TOKENS, "logprobs": LOGPROBS}
            return submitted({"type": "sample", "sequences": [sequence]})
        case "create_model":
            return submitted({"type": "create_model", "model_id": "model"})
        case "forward_backward":
            data = orjson.loads(body)["forward_backward_input"]["data"]
            return submitted(
                loss([len(datum["loss_fn_inputs"]["target_tokens"]["data"]) for datum in data])
            )
        case "optim_step":
            return submitted({"metrics": {}})
        case "retrieve_future":
            if WAIT and not TOGETHER:
                await asyncio.sleep(WAIT)
            return _results.pop(orjson.loads(body)["request_id"])
    return {}


async def respond_0_38(operation: str, body: bytes) -> Any:
    match operation:
        case "client/config":
            return {**FLAGS, "sample_use_retrieve_futures": TOGETHER}
        case "asample":
            submission = submitted(SAMPLE)
            loop = asyncio.get_running_loop()
            loop.call_later(WAIT, complete, submission["request_id"])
            return {**submission, "sample_sequence_ids": ["sample"]}
        case "retrieve_futures":
            return await completions(orjson.loads(body))
        case "get_info":
            model = {"arch": "stub", "model_name": "stub/model", "tokenizer_id": None}
            info = {"type": "get_info", "model_id": "model", "model_name": "stub/model"}
            return {**info, "model_data": model, "is_lora": True, "lora_rank": 32}
        case "forward_backward":
            data = pb.ForwardBackwardRequest.FromString(body).data
            return submitted(
                losses([len(datum.loss_fn_inputs["target_tokens"].dense) // 8 for datum in data])
            )
        case "client/dynamic_config":
            return {"refresh_interval_sec": 300}
    return await respond(operation, body)


def complete(request_id: str) -> None:
    """Mark a sample as completed, and respond to a waiting poll."""
    _completed.append(request_id)
    _new_completions.set()


async def completions(poll: Any) -> Any:
    """The samples completed since the cursor; waits until there is one."""
    cursor = poll["prev_cursor"]
    if len(_completed) == cursor and poll.get("timeout") != 0:
        _new_completions.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(_new_completions.wait(), HOLD)
    completed = [{"state": "finished", "request_id": item} for item in _completed[cursor:]]
    return {"completions": completed, "cursor": len(_completed)}


def submitted(result: Any) -> Any:
    request_id = str(next(_ids))
    _results[request_id] = result
    return {"request_id": request_id}


def loss(sizes: list[int]) -> Any:
    outputs = [
        {"logprobs": {"data": [-1.5] * size, "dtype": "float32", "shape": [size]}} for size in sizes
    ]
    return {
        "loss_fn_output_type": "logprobs",
        "loss_fn_outputs": outputs,
        "metrics": {"loss:sum": 1.0},
    }


def losses(sizes: list[int]) -> bytes:
    """The same as a protobuf message."""
    output = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics={"loss:sum": 1.0})
    field = output.loss_fn_outputs.add(num_datums=len(sizes)).fields["logprobs"]
    field.dtype = pb.DTYPE_FLOAT32
    field.data = np.full(sum(sizes), -1.5, dtype="<f4").tobytes()
    field.offsets = (np.cumsum([0, *sizes]) * 4).astype("<i8").tobytes()
    return output.SerializeToString()


def _sample() -> bytes:
    message = pb.SampleResponse()
    message.sequences.add(
        stop_reason=pb.STOP_REASON_LENGTH,
        tokens=np.array(TOKENS, dtype="<i4").tobytes(),
        logprobs=np.array(LOGPROBS, dtype="<f4").tobytes(),
    )
    return message.SerializeToString()


SAMPLE = _sample()


if __name__ == "__main__":
    PROTOCOL = sys.argv[2] if len(sys.argv) > 2 else "0.4.1"
    WAIT = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    TOGETHER = "together" in sys.argv[4:]
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
