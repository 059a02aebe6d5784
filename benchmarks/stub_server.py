"""A server that answers the API at once with made-up results, so that a client's own cost shows.

    python benchmarks/stub_server.py PORT [SECONDS]

Each result is ready after SECONDS (0 unless given). It speaks the JSON protocol of release 0.4.1.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import orjson
import uvicorn

TOKENS = list(range(64))
LOGPROBS = [-0.5] * 64
_ids = itertools.count()
_results: dict[str, Any] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    operation = scope["path"].rsplit("/", 1)[-1]
    content = orjson.dumps(await answer(operation, body))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def answer(operation: str, body: bytes) -> Any:
    match operation:
        case "create_session":
            return {"session_id": "session", "type": "create_session"}
        case "session_heartbeat":
            return {"type": "session_heartbeat"}
        case "telemetry":
            return {"status": "accepted"}
        case "create_sampling_session":
            return {"sampling_session_id": "sampling", "type": "create_sampling_session"}
        case "asample":
            one = {"stop_reason": "length", "tokens": TOKENS, "logprobs": LOGPROBS}
            return submitted({"type": "sample", "sequences": [one]})
        case "create_model":
            return submitted({"type": "create_model", "model_id": "model"})
        case "forward_backward":
            return submitted(loss(orjson.loads(body)["forward_backward_input"]["data"]))
        case "optim_step":
            return submitted({"metrics": {}})
        case "retrieve_future":
            if WAIT:
                await asyncio.sleep(WAIT)
            return _results.pop(orjson.loads(body)["request_id"])
    return {}


def submitted(result: Any) -> Any:
    request_id = str(next(_ids))
    _results[request_id] = result
    return {"request_id": request_id}


def loss(data: list[Any]) -> Any:
    sizes = [len(one["loss_fn_inputs"]["target_tokens"]["data"]) for one in data]
    outputs = [
        {"logprobs": {"data": [-1.5] * size, "dtype": "float32", "shape": [size]}} for size in sizes
    ]
    return {
        "loss_fn_output_type": "logprobs",
        "loss_fn_outputs": outputs,
        "metrics": {"loss:sum": 1.0},
    }


if __name__ == "__main__":
    WAIT = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
