"""Fetched results that are not decoded yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext import types

PROTOBUF = "application/x-protobuf"


@frozen
class ProtobufResult:
    """An encoded result. Decoded on the thread that retrieves it, which then imports protobuf."""

    operation: str
    content: bytes

    def decode(self) -> types.ForwardBackwardOutput | types.SampleResponse:
        """Decodes the result.

        Raises:
            APIResponseValidationError: the content is not a valid message.
        """
        from tinker_ext.transport.protobuf import decode_result

        return decode_result(self.operation, self.content)

    def outline(self) -> dict[str, Any]:
        """The token count and stop reason of each sequence of a sample, for tracing."""
        from tinker_ext.transport.protobuf import outline

        return outline(self.content)


@frozen
class FetchedResult:
    """The body of a result, as decoded JSON or a `ProtobufResult`, and the id of its request."""

    body: Any
    request_id: str
