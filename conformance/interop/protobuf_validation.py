"""Validates bytes as a message of `tinker_public.proto` without unknown fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from tinker_api.proto import tinker_public_pb2

# The prefix of a message name in the `x-protobuf` of a content type.
REFERENCE = "tinker_public.proto#tinker_public."


def message_errors(reference: str, body: bytes) -> Iterator[str]:
    """The reasons why `body` is not a valid message of the type that `reference` names."""
    name = reference.removeprefix(REFERENCE)
    kind: type[Message] = getattr(tinker_public_pb2, name)
    try:
        message = kind.FromString(body)
    except DecodeError as error:
        yield f"not a {name}: {error}"
        return
    yield from (f"{place}: no such field" for place in _unknown(message, name))


def _unknown(message: Message, place: str) -> Iterator[str]:
    """The unknown fields of `message` and of the messages in it."""
    unknown = UnknownFieldSet(message)
    yield from (f"{place}.{unknown[index].field_number}" for index in range(len(unknown)))
    for field, value in message.ListFields():
        if field.message_type is not None:
            for nested in _messages(value):
                yield from _unknown(nested, f"{place}.{field.name}")


def _messages(value: Any) -> Iterator[Message]:
    """The messages in a field: a single message, a list, or the values of a map."""
    if isinstance(value, Message):
        yield value
    else:
        items = value.values() if hasattr(value, "values") else value
        yield from (item for item in items if isinstance(item, Message))
