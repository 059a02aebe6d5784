"""A server with precomputed results, for measuring the cost of a client alone.

    python benchmarks/stub_server.py PORT [--protocol 0.38.0] [--seconds 0.5] [--batched-polls]
        [--faults] [--cpu 1]

Each result is ready after `--seconds` (default 0). The protocol is 0.4.1 (JSON) or 0.38.0 (protobuf
results, protobuf training data, the default of every flag). With `--batched-polls`, clients of
0.38.0 poll for all samples with one request instead of one per sample. With `--faults`, requests
for samples and their results fail at random: see `FAULTS`.

It parses HTTP/1.1 itself, because a server library would need more CPU time than the clients that
are measured. `GET /stub/usage` returns its CPU seconds and the received bytes of training data.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from tinker_api.proto import tinker_public_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Awaitable

TOKENS = list(range(64))
LOGPROBS = [-0.5] * 64
#: With `--faults`, the share of requests that fail in each way, and the seconds in `Retry-After`.
FAULTS = {"429": 0.2, "500": 0.1, "drop": 0.02}
RETRY_AFTER = 0.05
# Clients recognize the release by these flags, and use defaults for all others.
FLAGS = {"fwdbwd_max_chunk_len": 1024, "custom_loss_server_side": False}
# Seconds for which the hosted service holds a batched poll (release 0.38.0).
HOLD = 30.0

JSON, PROTOBUF = b"application/json", b"application/x-protobuf"
RESPONSE = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
NOT_FOUND: dict[str, Any] = {"detail": "Not Found"}
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


class Stub:
    """The state of the server, and its response to each operation."""

    def __init__(self, protocol: str, seconds: float, batched_polls: bool) -> None:
        self.protocol = protocol
        self.seconds = seconds
        self.batched_polls = batched_polls
        self.training_bytes = 0
        self._ids = itertools.count()
        self._results: dict[str, Any] = {}
        self._ready: dict[str, float] = {}
        self._completed: list[str] = []
        self._new_completions = asyncio.Event()

    def respond(self, operation: str, body: bytes) -> Any:
        """The response: bytes (protobuf), a JSON value, or an awaitable of one of them."""
        if operation == "forward_backward":
            self.training_bytes += len(body)
        if self.protocol != "0.4.1":
            return self._respond_0_38(operation, body)
        return self._respond_0_4(operation, body)

    def _respond_0_4(self, operation: str, body: bytes) -> Any:
        match operation:
            case "retrieve_future":
                return self._retrieve(orjson.loads(body)["request_id"])
            case "asample":
                sequence = {"stop_reason": "length", "tokens": TOKENS, "logprobs": LOGPROBS}
                return self._submit({"type": "sample", "sequences": [sequence]})
            case "forward_backward":
                data = orjson.loads(body)["forward_backward_input"]["data"]
                sizes = [len(datum["loss_fn_inputs"]["target_tokens"]["data"]) for datum in data]
                return self._submit(loss_json(sizes))
            case "optim_step":
                return self._submit({"metrics": {}})
            case "create_session":
                return {"session_id": "session", "type": "create_session"}
            case "create_sampling_session":
                return {"sampling_session_id": "sampling", "type": "create_sampling_session"}
            case "create_model":
                return self._submit({"type": "create_model", "model_id": "model"})
            case "session_heartbeat":
                return {"type": "session_heartbeat"}
            case "telemetry":
                return {"status": "accepted"}
            case "client/config" | "client/dynamic_config":
                return NOT_FOUND
        return {}

    def _respond_0_38(self, operation: str, body: bytes) -> Any:
        match operation:
            case "asample":
                submission = self._submit(SAMPLE)
                if self.batched_polls:
                    loop = asyncio.get_running_loop()
                    loop.call_later(self.seconds, self._complete, submission["request_id"])
                return {**submission, "sample_sequence_ids": ["sample"]}
            case "forward_backward":
                data = pb.ForwardBackwardRequest.FromString(body).data
                sizes = [len(datum.loss_fn_inputs["target_tokens"].dense) // 8 for datum in data]
                return self._submit(loss_protobuf(sizes))
            case "retrieve_futures":
                return self._completions(orjson.loads(body))
            case "client/config":
                return {**FLAGS, "sample_use_retrieve_futures": self.batched_polls}
            case "client/dynamic_config":
                return {"refresh_interval_sec": 300}
            case "get_info":
                model = {"arch": "stub", "model_name": "stub/model", "tokenizer_id": None}
                info = {"type": "get_info", "model_id": "model", "model_name": "stub/model"}
                return {**info, "model_data": model, "is_lora": True, "lora_rank": 32}
        return self._respond_0_4(operation, body)

    def _submit(self, result: Any) -> dict[str, Any]:
        request_id = str(next(self._ids))
        self._results[request_id] = result
        if self.seconds:
            self._ready[request_id] = time.monotonic() + self.seconds
        return {"request_id": request_id}

    def _retrieve(self, request_id: str) -> Any:
        """The result, or an awaitable of it if it is not ready. A lost response can be fetched."""
        # One request in twenty fails, so the results of a few hundred later ones are kept.
        self._results.pop(str(int(request_id) - 20_000), None)
        left = self._ready.pop(request_id, 0.0) - time.monotonic()
        if left <= 0:
            return self._results[request_id]
        return asyncio.sleep(left, self._results[request_id])

    def _complete(self, request_id: str) -> None:
        """Mark a sample as completed, and respond to a waiting poll."""
        self._completed.append(request_id)
        self._new_completions.set()

    async def _completions(self, poll: Any) -> Any:
        """The samples completed since the cursor; waits until there is one."""
        cursor = poll["prev_cursor"]
        if len(self._completed) == cursor and poll.get("timeout") != 0:
            self._new_completions.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._new_completions.wait(), HOLD)
        completed = [{"state": "finished", "request_id": item} for item in self._completed[cursor:]]
        return {"completions": completed, "cursor": len(self._completed)}


class Faults:
    """Chooses at random the requests that fail."""

    def __init__(self, shares: dict[str, float]) -> None:
        self._random = random.Random(0)
        self._thresholds = list(zip(shares, itertools.accumulate(shares.values()), strict=True))

    def choose(self, operation: str) -> str | None:
        """The name of the fault of a request, or None."""
        if operation not in ("asample", "retrieve_future"):
            return None
        number = self._random.random()
        return next((name for name, bound in self._thresholds if number < bound), None)


class Connection(asyncio.Protocol):
    """One connection: parses requests with `Content-Length`, writes responses in order."""

    def __init__(self, stub: Stub, faults: Faults) -> None:
        self._stub = stub
        self._faults = faults
        self._buffer = bytearray()
        self._needed = 0
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= self._needed and self._task is None:
            self._parse()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def _parse(self) -> None:
        """Respond to the request in the buffer, if it is complete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        match = _CONTENT_LENGTH.search(buffer, 0, end)
        self._needed = end + 4 + (int(match[1]) if match else 0)
        if len(buffer) < self._needed:
            return
        path = buffer[buffer.index(b" ") + 1 : buffer.index(b" HTTP/")]
        body = bytes(memoryview(buffer)[end + 4 : self._needed])
        del buffer[: self._needed]
        self._needed = 0
        self._respond(path.decode("ascii").partition("?")[0], body)

    def _respond(self, path: str, body: bytes) -> None:
        if path == "/stub/usage":
            usage = {"cpu_s": time.process_time(), "training_bytes": self._stub.training_bytes}
            self._send(usage)
            return
        operation = path.partition("/api/v1/")[2]
        match self._faults.choose(operation):
            case None:
                response = self._stub.respond(operation, body)
                if asyncio.iscoroutine(response):
                    self._task = asyncio.get_running_loop().create_task(self._send_later(response))
                else:
                    self._send(response)
            case "429":
                self._send({"detail": "busy"}, b"429 Too Many Requests", retry_after=True)
            case "500":
                self._send({"detail": "failed"}, b"500 Internal Server Error")
            case "drop":
                self._transport.abort()

    async def _send_later(self, response: Awaitable[Any]) -> None:
        value = await response
        self._task = None
        self._send(value)

    def _send(self, value: Any, status: bytes = b"200 OK", *, retry_after: bool = False) -> None:
        if value is NOT_FOUND:
            status = b"404 Not Found"
        encoded = isinstance(value, bytes)
        content = value if encoded else orjson.dumps(value)
        extra = b"Retry-After: %.2f\r\n" % RETRY_AFTER if retry_after else b""
        head = RESPONSE % (status, PROTOBUF if encoded else JSON, len(content), extra)
        self._transport.write(head + content)
        if self._buffer:
            self._parse()


def loss_json(sizes: list[int]) -> Any:
    """A result of forward_backward with one logprob per target token."""
    outputs = [
        {"logprobs": {"data": [-1.5] * size, "dtype": "float32", "shape": [size]}} for size in sizes
    ]
    return {
        "loss_fn_output_type": "logprobs",
        "loss_fn_outputs": outputs,
        "metrics": {"loss:sum": 1.0},
    }


def loss_protobuf(sizes: list[int]) -> bytes:
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


async def serve(options: argparse.Namespace) -> None:
    stub = Stub(options.protocol, options.seconds, options.batched_polls)
    faults = Faults(FAULTS if options.faults else {})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(stub, faults), "127.0.0.1", options.port, backlog=4096
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--protocol", choices=("0.4.1", "0.38.0"), default="0.4.1")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--batched-polls", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--cpu", type=int, help="the core that the server runs on")
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
