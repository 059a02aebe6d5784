"""Errors that programs create in their tests, and the response of an error."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import httpx
import pytest

import tinker_ext as tinker
from tinker_ext.errors import status_error

REQUEST = httpx.Request("POST", "http://localhost/api/v1/asample")
RESPONSE = httpx.Response(
    429, headers={"retry-after": "3"}, json={"detail": "slow down"}, request=REQUEST
)


@pytest.mark.parametrize(
    "error",
    [
        tinker.RateLimitError("slow down", response=RESPONSE, body={"detail": "slow down"}),
        tinker.RateLimitError("slow down", RESPONSE, {"detail": "slow down"}),
    ],
    ids=["names", "positions"],
)
def test_status_error_from_a_response(error: tinker.RateLimitError) -> None:
    assert error.status_code == 429
    assert error.response is RESPONSE
    assert error.request is REQUEST
    assert error.body == {"detail": "slow down"}
    assert error.headers["retry-after"] == "3"
    again = pickle.loads(pickle.dumps(error))
    assert (again.status_code, again.response.json()) == (429, {"detail": "slow down"})


def test_status_error_requires_a_response_or_status_code() -> None:
    with pytest.raises(TypeError, match="NotFoundError requires a response or a status_code"):
        tinker.NotFoundError("missing")
    assert tinker.NotFoundError("missing", status_code=404).status_code == 404


def test_response_without_request_is_accepted() -> None:
    error = tinker.BadRequestError("wrong", response=httpx.Response(400), body=None)
    assert not hasattr(error, "request")


@pytest.mark.parametrize(
    ("body", "text", "parsed"),
    [({"a": 1}, '{"a": 1}', {"a": 1}), ('{"a": 1}', '{"a": 1}', {"a": 1}), ([1], "[1]", [1])],
)
def test_response_of_the_client_s_own_errors(body: Any, text: str, parsed: Any) -> None:
    error = status_error(
        503, headers={"Retry-After": "7", "Set-Cookie": "secret"}, body=body, operation="asample"
    )
    response = error.response
    assert (response.status_code, response.reason_phrase) == (503, "Service Unavailable")
    assert response.headers == {"retry-after": "7"}
    assert (response.text, response.content, response.json()) == (text, text.encode(), parsed)
    assert (response.is_error, response.is_success) == (True, False)
    assert repr(response) == "ErrorResponse(status_code=503)"
    with pytest.raises(AttributeError, match="errors keep no request"):
        error.request  # noqa: B018
    assert copy.copy(error).response == response


def test_response_without_body_or_known_status() -> None:
    response = tinker.APIStatusError("odd", status_code=599).response
    assert (response.reason_phrase, response.text) == ("", "")
    with pytest.raises(ValueError):
        response.json()


def test_connection_errors_from_a_request() -> None:
    error = tinker.APIConnectionError(message="refused", request=REQUEST)
    assert (error.message, error.request) == ("refused", REQUEST)
    assert tinker.APITimeoutError(request=REQUEST).request is REQUEST
    assert tinker.APIError("failed", REQUEST, body=None).request is REQUEST


def test_validation_error_from_a_response() -> None:
    error = tinker.APIResponseValidationError(response=RESPONSE, body=None)
    assert (error.status_code, error.response) == (429, RESPONSE)
    assert error.message == "the response is invalid"
