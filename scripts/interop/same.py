"""The same program before the same server, once with an official SDK and once with this client."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from tinker_api.proto import tinker_public_pb2 as messages

from interop.environments import python_of
from interop.recorder import PROTOBUF_TYPE, recording
from interop.scripted import Scripted
from interop.session import drive_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interop.recorder import Message
    from interop.session import Run

DRIVER = "same_program"
# Made by `make test-torch`; lent to both.
TORCH = Path(sys.prefix) / "torch"
OPERATIONS = frozenset({"asample", "create_custom_loss", "forward", "forward_backward"})
# What one client says and another leaves to the server, which takes it for granted.
IDLE: tuple[object, ...] = (None, False, 0)


@frozen
class Sent:
    """A request's operation, its content type, and its body in a form that can be compared."""

    operation: str
    media_type: str
    body: Any


@frozen
class Played:
    """What came of a program: its steps, and what it sent of `OPERATIONS`."""

    run: Run
    sent: list[Sent]


def play(release: str | None, flags: Mapping[str, Any], **settings: str) -> Played:
    """Run the program with `tinker==release`, or with this client, before a server of `flags`."""
    package = "tinker_ext" if release is None else "tinker"
    python = Path(sys.executable) if release is None else python_of(release)
    settings |= {"DRIVER_PACKAGE": package, "PYTHONPATH": str(TORCH)}
    with recording(Scripted(flags)) as record:
        run = drive_by(python, DRIVER, record.url, settings)
        named = [(one.asked.path.rpartition("/")[2], one.asked.message) for one in record.exchanges]
    return Played(run, [_sent(name, message) for name, message in named if name in OPERATIONS])


def _sent(operation: str, message: Message) -> Sent:
    if message.media_type == PROTOBUF_TYPE:
        request = messages.ForwardBackwardRequest.FromString(message.decoded)
        # Maps have no order on the wire.
        body: Any = request.SerializeToString(deterministic=True)
    else:
        given = json.loads(message.decoded)
        body = {name: value for name, value in given.items() if not _idle(name, value)}
    return Sent(operation, message.media_type, body)


def _idle(name: str, value: object) -> bool:
    return not name.endswith("_id") and value in IDLE
