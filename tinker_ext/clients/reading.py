"""From the body of a result to the type a user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.transport.results import ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Callable

# Decoded JSON, or a result that is no JSON.
Body = Any
T = TypeVar("T")


class Model(Protocol):
    """A generated model."""

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self: ...


M = TypeVar("M", bound=Model)


def read(operation: str, body: Body, model: type[M], convert: Callable[[M], T]) -> T:
    """Parse a result's body as `model` and convert it; protobuf has only one meaning.

    Raises:
        APIResponseValidationError: the body is not such a model.
    """
    if isinstance(body, ProtobufResult):
        return cast("T", body.decode())
    try:
        return convert(model.from_dict(body))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise APIResponseValidationError(
            f"the result is no {model.__name__}: {type(error).__name__}: {error}",
            operation=operation,
            body=body,
        ) from error


def reader(operation: str, model: type[M], convert: Callable[[M], T]) -> Callable[[list[Body]], T]:
    """A function that reads the single body of an operation."""
    return lambda bodies: read(operation, bodies[0], model, convert)
