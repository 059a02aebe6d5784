"""From the body of a result to the type a user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from tinker_api import models

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.transport.results import ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Decoded JSON, or a result that is no JSON.
Body = Any
T = TypeVar("T")


class Model(Protocol):
    """A generated model."""

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self: ...


M = TypeVar("M", bound=Model)

# The lists of objects in results.
_ENTRIES: Mapping[str, type[Model]] = {
    "sequences": models.SampledSequence,
    "loss_fn_outputs": models.LossFnOutput,
}


def read(operation: str, body: Body, model: type[M], convert: Callable[[M], T]) -> T:
    """Parse a result's body as `model` and convert it; protobuf has only one meaning.

    Raises:
        APIResponseValidationError: the body is not such a model; the message names the field.
    """
    if isinstance(body, ProtobufResult):
        return cast("T", body.decode())
    try:
        return convert(model.from_dict(body))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise APIResponseValidationError(
            f"the result is not a {model.__name__}: {_explanation(body, error)}",
            operation=operation,
            body=body,
        ) from error


def _explanation(body: Body, error: Exception) -> str:
    """What is wrong with a result, beginning with the path to it."""
    for name, model in _ENTRIES.items():
        entries = body.get(name) if isinstance(body, dict) else None
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                return f"{name}[{at}]: expected an object, got {type(entry).__name__}"
            try:
                model.from_dict(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as found:
                return f"{name}[{at}]: {_words(found)}"
    return _words(error)


def _words(error: Exception) -> str:
    match error:
        case KeyError():
            return f"the field {error} is missing"
        case ValueError():
            return str(error)
    return f"{type(error).__name__}: {error}"


def reader(operation: str, model: type[M], convert: Callable[[M], T]) -> Callable[[list[Body]], T]:
    """A function that reads the single body of an operation."""
    return lambda bodies: read(operation, bodies[0], model, convert)
