"""Errors of the client as responses of the endpoint: their hints are for callers of HTTP."""

from __future__ import annotations

import re

import pytest

from tinker_ext import errors
from tinker_ext.openai_api.errors import TOKENIZER_HINT, endpoint_error
from tinker_ext.protocol.error_responses import advice, restriction
from tinker_ext.protocol.server_protocol import BASELINE

#: Operations of the client that the endpoint uses.
OPERATIONS = [
    "asample",
    "client_config",
    "create_auth_token",
    "create_sampling_session",
    "create_session",
    "get_sampler",
    "get_server_capabilities",
    "get_training_run",
    "retrieve_future",
]
#: Names of methods, arguments and classes of the Python package.
PYTHON = re.compile(
    r"\w\(|ServiceClient|(?:create|get|save)_\w+(?:client|state|sampler|tokenizer|capabilities)"
    r"|(?:model_path|base_model|api_key|retry_window|future_timeout)\b|create a new one"
)


def rejected(operation: str, status: int, body: object) -> errors.APIStatusError:
    """The error of the client for a response, with its hint."""
    error = errors.status_error(status, headers={}, body=body, operation=operation)
    error.mark_unsupported(advice(operation, status, body, BASELINE))
    error.hint = error.hint or restriction(operation, body) or ""
    return error


def text_of(error: errors.TinkerError) -> str:
    """The message of the response, without the operation of the Tinker API that failed."""
    operation = getattr(error, "operation", None)
    return endpoint_error(error).message.removeprefix(f"{operation}: ")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", [404, 405, 501])
def test_missing_operation_has_hint_without_python_names(operation: str, status: int) -> None:
    text = text_of(rejected(operation, status, None))
    assert not PYTHON.search(text), text
    assert text.endswith(".")
    assert "]" not in text.rpartition(" ")[2], "the hint comes last"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("asample", "with the --base-url of a server that samples"),
        ("create_session", "`tinker-ext doctor`"),
        ("get_sampler", "--tokenizer"),
        ("get_server_capabilities", "Send the name of a base model"),
    ],
)
def test_missing_operation_names_the_option_or_field(operation: str, expected: str) -> None:
    assert expected in text_of(rejected(operation, 405, None))


@pytest.mark.parametrize("operation", ["asample", "create_sampling_session"])
def test_unknown_model_names_the_lists(operation: str) -> None:
    body = {"detail": "Base model 'x' not found"}
    for error in (
        rejected(operation, 400, body),
        rejected(operation, 404, body),
        errors.RequestFailedError(body["detail"], operation=operation),
    ):
        text = text_of(error)
        assert "The operation models lists the base models" in text
        assert not PYTHON.search(text), text


def test_missing_checkpoint_names_the_lists() -> None:
    error = rejected("create_sampling_session", 410, {"detail": "the checkpoint has expired"})
    response = endpoint_error(error)
    assert (response.status, response.param, response.code) == (404, "model", "model_not_found")
    assert "`tinker-ext checkpoint list`" in response.message


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (rejected("asample", 401, {"detail": "bad key"}), 401, "the header Authorization"),
        (rejected("asample", 402, {"detail": "no money"}), 402, "billing"),
        (rejected("asample", 403, {"detail": "not yours"}), 403, "permission"),
        (rejected("asample", 429, {"detail": "slow down"}), 429, "fewer requests"),
        (errors.SessionLostError("no session"), 503, "Send the request again"),
        (errors.ClientClosedError(), 503, "Send the request again"),
        (errors.CircuitOpenError(), 502, "again later"),
        (errors.DeadlineExceededError(deadline=5), 504, "max_tokens"),
        (errors.APIResponseValidationError("no request_id"), 502, "another version|different"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_hint_of_class_is_for_callers(
    error: errors.TinkerError, status: int, expected: str
) -> None:
    assert endpoint_error(error).status == status
    text = text_of(error)
    assert re.search(expected, text), text
    assert not PYTHON.search(text), text


@pytest.mark.parametrize("argument", ["model_path", "base_model"])
def test_invalid_model_names_the_field(argument: str) -> None:
    response = endpoint_error(errors.InvalidInputError("pass it to create_x()", where=argument))
    assert (response.status, response.param) == (400, "model")
    assert response.message.startswith("model must be the name of a base model")


def test_hint_of_missing_tokenizer_is_kept() -> None:
    error = errors.TinkerError("No tokenizer for x.")
    error.hint = TOKENIZER_HINT
    response = endpoint_error(error)
    assert (response.status, response.body()["error"]["type"]) == (500, "server_error")
    assert response.message == f"No tokenizer for x. {TOKENIZER_HINT}"
