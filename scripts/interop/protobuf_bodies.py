"""Whether bytes are a message of `tinker_public.proto`, and nothing besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from tinker_api.proto import tinker_public_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

# How specifications name a message beside a content type, in `x-protobuf`.
REFERENCE = "tinker_public.proto#tinker_public."


def message_faults(reference: str, body: bytes) -> Iterator[str]:
    """What is wrong with `body` as the message that `reference` names."""
    name = reference.removeprefix(REFERENCE)
    kind: type[Message] = getattr(tinker_public_pb2, name)
    try:
        message = kind.FromString(body)
    except DecodeError as error:
        yield f"not a {name}: {error}"
        return
    yield from (f"{place}: no such field" for place in _unknown(message, name))


def _unknown(message: Message, place: str) -> Iterator[str]:
    """Fields of `message`, and of those in it, that the definition does not have."""
    unknown = UnknownFieldSet(message)
    yield from (f"{place}.{unknown[index].field_number}" for index in range(len(unknown)))
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in _messages(value):
                yield from _unknown(one, f"{place}.{field.name}")


def _messages(value: Any) -> Iterator[Message]:
    """The messages that a field holds: itself, several, or those of a map."""
    if isinstance(value, Message):
        yield value
    else:
        several = value.values() if hasattr(value, "values") else value
        yield from (one for one in several if isinstance(one, Message))
