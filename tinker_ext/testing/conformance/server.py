"""The server of one scenario: a `FaultServer` that speaks one protocol and keeps a timeline."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import attrs
import h11
import numpy as np
from google.protobuf.message import DecodeError
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext.testing.fault_server import FaultServer
from tinker_ext.testing.messages import Received, Reply, operations_of, read_specification

#: The protocols that the grader plays, by the release that introduced each.
JSON_PROTOCOL, PROTOBUF_PROTOCOL = "0.4.1", "0.38.0"
PROTOCOLS = (JSON_PROTOCOL, PROTOBUF_PROTOCOL)

PROTOBUF = "application/x-protobuf"

_NOT_FOUND = Reply(404, {"detail": "Not Found"})


@attrs.define
class Exchange:
    """A request, when it arrived, and when its response was sent, in seconds of `time.monotonic`.

    `content_type` is that of the request; `received.body` is decoded whatever it was, and `content`
    has the bytes of a protobuf body.
    """

    received: Received
    arrived: float
    content_type: str
    content: bytes = b""
    responded: float | None = None

    @property
    def operation(self) -> str:
        return self.received.operation

    @property
    def body(self) -> dict[str, Any]:
        body = self.received.body
        return body if isinstance(body, dict) else {}


class ScenarioServer(FaultServer):
    """Responds to every operation of one release, and to no other.

    Protobuf requests are decoded to the JSON form of release 0.4.1, so that a scenario reads both
    alike; results are protobuf if the poll accepts it.

    Attributes:
        timeline: all requests in order of arrival.
        hooks: functions by operation that replace the default reply; they may call it.
    """

    def __init__(self, protocol: str, **flags: Any) -> None:
        self.protocol = protocol
        self.timeline: list[Exchange] = []
        self.hooks: dict[str, Callable[[Received], Reply]] = {}
        self._flags = _flags_of("ClientConfigResponse")
        self._dynamic_flags = _flags_of("ClientDynamicConfigResponse")
        for name, value in flags.items():
            (self._dynamic_flags if name in self._dynamic_flags else self._flags)[name] = value
        super().__init__()

    def exchanges(self, *operations: str) -> list[Exchange]:
        """The exchanges of these operations, or all, in order of arrival."""
        timeline = list(self.timeline)
        return [item for item in timeline if not operations or item.operation in operations]

    def default_reply(self, received: Received) -> Reply:
        """The reply of a hook, or else that of a server without faults."""
        hook = self.hooks.get(received.operation)
        return self.process(received) if hook is None else hook(received)

    def process(self, received: Received) -> Reply:
        """Process a request as a server without faults does."""
        if not self.supports(received):
            return _NOT_FOUND
        if received.operation == "get_client_config":
            return Reply(200, self._flags)
        if received.operation == "get_client_dynamic_config":
            return Reply(200, self._dynamic_flags)
        if not self._fits(received):
            return Reply(415, {"detail": "this release accepts another content type"})
        reply = super().default_reply(received)
        if received.operation == "retrieve_future" and reply.status == 200:
            return self.encoded(received, reply.body)
        if received.operation == "asample" and self.protocol == PROTOBUF_PROTOCOL:
            number = str(reply.body["request_id"])
            count = int(received.body.get("num_samples", 1))
            ids = [f"{number}-{index}" for index in range(count)]
            return Reply(reply.status, {**reply.body, "sample_sequence_ids": ids})
        return reply

    def encoded(self, received: Received, result: Any) -> Reply:
        """The reply to a poll with this result: protobuf if its kind has a message."""
        accepts = PROTOBUF in received.headers.get("accept", "")
        if self.protocol == PROTOBUF_PROTOCOL and accepts:
            # Loaded here, because the module belongs to the embedded backend.
            from tinker_ext.embedded.protobuf.results import to_protobuf

            message = to_protobuf(json.dumps(result).encode())
            if message is not None:
                return Reply(200, message, {"content-type": PROTOBUF})
        return Reply(200, result)

    def supports(self, received: Received) -> bool:
        """Whether the release has the operation."""
        if self.protocol == JSON_PROTOCOL:
            return received.operation in operations_of(f"readings/{JSON_PROTOCOL}.json")
        return received.operation != "forward"

    def _fits(self, received: Received) -> bool:
        if received.operation != "forward_backward":
            return True
        protobuf = PROTOBUF in received.headers.get("content-type", "")
        return protobuf == (self.protocol == PROTOBUF_PROTOCOL)

    async def _respond(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, received: Received
    ) -> bool:
        content_type = received.headers.get("content-type", "")
        content = received.body if isinstance(received.body, bytes) else b""
        if content and PROTOBUF in content_type:
            received = attrs.evolve(received, body=_decode(content))
        exchange = Exchange(received, time.monotonic(), content_type, content)
        self.timeline.append(exchange)
        try:
            return await super()._respond(connection, writer, received)
        finally:
            exchange.responded = time.monotonic()


def _flags_of(schema: str) -> dict[str, Any]:
    """The flags of a response of release 0.38.0, with its defaults; a scenario changes some."""
    specification = read_specification(f"readings/{PROTOBUF_PROTOCOL}.json")
    properties = specification["components"]["schemas"][schema]["properties"]
    return {name: flag["default"] for name, flag in properties.items()}


def _decode(content: bytes) -> Any:
    """A ForwardBackwardRequest in the form of JSON; the bytes if it is not one."""
    try:
        request = pb.ForwardBackwardRequest.FromString(content)
    except DecodeError:
        return content
    data = [
        {
            "model_input": {"chunks": [_chunk(chunk) for chunk in datum.model_input]},
            "loss_fn_inputs": {
                name: _tensor(tensor) for name, tensor in datum.loss_fn_inputs.items()
            },
        }
        for datum in request.data
    ]
    return {
        "model_id": request.model_id,
        "seq_id": request.seq_id or None,
        "forward_only": request.forward_only,
        "forward_backward_input": {"data": data, "loss_fn": request.loss_fn},
    }


def _chunk(chunk: pb.Chunk) -> dict[str, Any]:
    tokens = np.frombuffer(chunk.encoded_text.tokens, "<i4").tolist()
    return {"type": "encoded_text", "tokens": tokens}


def _tensor(tensor: pb.Tensor) -> dict[str, Any]:
    whole = tensor.dtype == pb.DTYPE_INT64
    data = np.frombuffer(tensor.dense, "<i8" if whole else "<f4").tolist()
    dtype = "int64" if whole else "float32"
    return {"data": data, "dtype": dtype, "shape": list(tensor.shape) or [len(data)]}
