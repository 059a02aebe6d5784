"""Converts the body of a result to the type that the user receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, TypeVar, cast

from tinker_api import models

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.transport.response import FetchedResult, ProtobufResult
from tinker_ext.types.structuring import InvalidFieldError

ResultBody = FetchedResult
R = TypeVar("R")
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


def decode_result(
    operation: str, result: ResultBody, model: type[M], convert: Callable[[M], T]
) -> T:
    """Parse a result as `model` and convert it; protobuf results have a single type.

    Raises:
        APIResponseValidationError: the body does not fit the model; the message names the field.
    """
    body = result.body
    try:
        if isinstance(body, ProtobufResult):
            return cast("T", body.decode())
        return convert(model.from_dict(body))
    except APIResponseValidationError as error:
        error.request_id = result.request_id
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"the result is not a {model.__name__}: {_explanation(body, error)}"
        raise misfit(operation, result, message) from error


def response_decoder(operation: str, convert: Callable[[R], T]) -> Callable[[R], T]:
    """A function that converts the response of an operation without a future.

    It raises APIResponseValidationError if a required field is invalid.
    """

    def decode(response: R) -> T:
        try:
            return convert(response)
        except InvalidFieldError as error:
            raise APIResponseValidationError(str(error), operation=operation) from error

    return decode


def require_base_model(name: object, operation: str, advice: str = "") -> str:
    """The base model of a response, which later requests need.

    Raises:
        APIResponseValidationError: it is null, missing or not a string.
    """
    if isinstance(name, str) and name:
        return name
    raise APIResponseValidationError(f"the response has no base_model{advice}", operation=operation)


def misfit(operation: str, result: ResultBody, message: str) -> APIResponseValidationError:
    """The error for a result that does not fit its request."""
    body = None if isinstance(result.body, ProtobufResult) else result.body
    return APIResponseValidationError(
        message, operation=operation, request_id=result.request_id, body=body
    )


def _explanation(body: Any, error: Exception) -> str:
    """Explains why a result could not be parsed, starting with the path of the field."""
    for name, model in _ENTRIES.items():
        entries = body.get(name) if isinstance(body, dict) else None
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                return f"{name}[{at}]: expected an object, got {type(entry).__name__}"
            try:
                model.from_dict(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as entry_error:
                return f"{name}[{at}]: {_words(entry_error)}"
    return _words(error)


def _words(error: Exception) -> str:
    match error:
        case KeyError():
            return f"the field {error} is missing"
        case ValueError():
            return str(error)
    return f"{type(error).__name__}: {error}"


def result_decoder(
    operation: str, model: type[M], convert: Callable[[M], T]
) -> Callable[[list[ResultBody]], T]:
    """A function that decodes the single result of an operation."""
    return lambda bodies: decode_result(operation, bodies[0], model, convert)
