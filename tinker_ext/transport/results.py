"""Results as they are fetched, before they are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext import types

PROTOBUF = "application/x-protobuf"


@frozen
class ProtobufResult:
    """A result as it came. It is decoded where the user takes it, and protobuf imported then."""

    operation: str
    content: bytes

    def decode(self) -> types.ForwardBackwardOutput | types.SampleResponse:
        """The result of the operation it belongs to.

        Raises:
            APIResponseValidationError: the content is not such a message.
        """
        from tinker_ext.transport.protobuf import decode_result

        return decode_result(self.operation, self.content)

    def outline(self) -> dict[str, Any]:
        """Of samples, what a trace tells: how many tokens each has, and why it ended."""
        from tinker_ext.transport.protobuf import outline

        return outline(self.content)


@frozen
class FetchedResult:
    """The body of a result, as decoded JSON or a `ProtobufResult`, and whose result it is."""

    body: Any
    request_id: str
