"""Runs one program with an official SDK and with this client, and compares the requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from tinker_api.proto import tinker_public_pb2 as messages

from conformance.interop.recorder import PROTOBUF_TYPE, Message, recording
from conformance.interop.scripted_server import ScriptedServer
from conformance.interop.session import Run, run_program

# Installed by `make test-torch`, and put on the path of both clients.
TORCH = Path(sys.prefix) / "torch"
OPERATIONS = frozenset({"asample", "create_custom_loss", "forward", "forward_backward"})
# Values that one client sends and another omits, because the server assumes them by default.
DEFAULTS: tuple[object, ...] = (None, False, 0)


@frozen
class SentRequest:
    """A request's operation, its content type, and its body in a comparable form."""

    operation: str
    media_type: str
    body: Any


@frozen
class ProgramRun:
    """The steps of a run of the program, and its requests for `OPERATIONS`."""

    run: Run
    sent: list[SentRequest]


def run_parity(release: str | None, flags: Mapping[str, Any], **settings: str) -> ProgramRun:
    """Run the program with `tinker==release`, or with this client, on a server with `flags`."""
    with recording(ScriptedServer(flags)) as record:
        settings["PYTHONPATH"] = str(TORCH)
        run = run_program(release, "parity", record.url, settings)
        requests = [exchange.request for exchange in record.exchanges]
    named = [(request.path.rpartition("/")[2], request.message) for request in requests]
    return ProgramRun(run, [_comparable(*item) for item in named if item[0] in OPERATIONS])


def _comparable(operation: str, message: Message) -> SentRequest:
    if message.media_type == PROTOBUF_TYPE:
        request = messages.ForwardBackwardRequest.FromString(message.decoded)
        # Maps have no order on the wire.
        body: Any = request.SerializeToString(deterministic=True)
    else:
        fields = json.loads(message.decoded)
        body = {name: value for name, value in fields.items() if not _is_default(name, value)}
    return SentRequest(operation, message.media_type, body)


def _is_default(name: str, value: object) -> bool:
    return not name.endswith("_id") and value in DEFAULTS
