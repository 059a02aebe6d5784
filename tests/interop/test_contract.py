"""Validation of an exchange against a specification reports every kind of error."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard
from attrs import evolve
from tinker_api.proto import tinker_public_pb2 as messages

from conformance.interop.contract import load_contract
from conformance.interop.recorder import Exchange, Message, Request, Response

RELEASE = "0.4.1"
JSON_HEADERS = {"content-type": "application/json", "x-api-key": "tml-x"}


def exchange(
    method: str = "POST",
    path: str = "/api/v1/create_sampling_session",
    query: str = "",
    body: Any = None,
    response_body: Any = None,
    status: int = 200,
    location: str = "http://x/y",
    **headers: str,
) -> Exchange:
    """A valid exchange, except for the arguments."""
    if body is None and method == "POST":
        body = {"session_id": "s", "sampling_session_seq_id": 0, "base_model": "m"}
    if response_body is None:
        response_body = {"sampling_session_id": "x"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return Exchange(
        Request(method, path, query, Message({**JSON_HEADERS, **named}, content)),
        Response(
            status,
            Message({**JSON_HEADERS, "location": location}, json.dumps(response_body).encode()),
        ),
    )


def problems(exchange: Exchange) -> list[str]:
    return list(load_contract(RELEASE).verdict(exchange).problems)


def test_valid_exchange_has_no_problems() -> None:
    verdict = load_contract(RELEASE).verdict(exchange())
    assert verdict.operation_id == "create_sampling_session"
    assert verdict.problems == ()


RUN_PATH = "/api/v1/training_runs/r"
RUN = {
    "training_run_id": "r",
    "base_model": "m",
    "model_owner": "o",
    "is_lora": True,
    "last_request_time": "2026-01-01T00:00:00Z",
}
FUTURE = "/api/v1/retrieve_future"
POLL: dict[str, Any] = {"body": {"request_id": "1"}, "x_tinker_request_type": "Sample"}
SAMPLES = {"sequences": [{"stop_reason": "stop", "tokens": [1], "logprobs": [-0.5]}]}


@pytest.mark.parametrize(
    "valid",
    [
        exchange("GET", RUN_PATH, response_body=RUN),
        exchange(path=FUTURE, response_body=SAMPLES, **POLL),
        exchange(path=FUTURE, response_body={"error": "no", "category": "user"}, **POLL),
    ],
)
def test_other_valid_exchanges_have_no_problems(valid: Exchange) -> None:
    assert problems(valid) == []


@pytest.mark.parametrize(
    ("invalid", "expected"),
    [
        (exchange(path="/api/v1/nothing"), "no such operation"),
        (exchange("DELETE"), "no such operation"),
        (exchange(body={"session_id": "s"}), "sampling_session_seq_id"),
        (exchange(body={"session_id": "s", "sampling_session_seq_id": "0"}), "seq_id"),
        (exchange(body={"session_id": "s", "sampling_session_seq_id": 0, "x": 1}), "'x'"),
        (exchange(content_type="text/plain"), "body: content type text/plain"),
        (exchange(query="limit=1"), "query: limit is not documented"),
        (
            exchange("GET", "/api/v1/checkpoints", "limit=many", response_body={"checkpoints": []}),
            "limit",
        ),
        (exchange("GET", RUN_PATH, body={}, response_body=RUN), "none is documented"),
        (exchange("GET", RUN_PATH, response_body={**RUN, "is_lora": 1}), "is_lora"),
        (
            exchange(
                "GET",
                RUN_PATH,
                response_body={**RUN, "last_request_time": "yesterday"},
            ),
            "last_request_time",
        ),
        (exchange(status=201), "status 201 is not documented"),
        (exchange(response_body={"sampling_session_id": 1}), "sampling_session_id"),
        (
            exchange(path=FUTURE, response_body={"path": "tinker://r/weights/x"}, **POLL),
            "response 200",
        ),
        (
            exchange(
                "GET", f"{RUN_PATH}/checkpoints/weights/x/archive", status=302, location="no where"
            ),
            "Location",
        ),
    ],
)
def test_invalid_exchange_is_reported(invalid: Exchange, expected: str) -> None:
    reported = problems(invalid)
    assert reported
    assert expected in reported[0]


def test_missing_key_is_reported() -> None:
    valid = exchange()
    headers = {"content-type": "application/json"}
    keyless = evolve(
        valid, request=evolve(valid.request, message=evolve(valid.request.message, headers=headers))
    )
    assert problems(keyless) == ["create_sampling_session: header: none of x-api-key"]


def test_response_that_is_not_json_is_reported() -> None:
    valid = exchange()
    broken = evolve(valid, response=Response(200, Message(JSON_HEADERS, b"<html>")))
    assert "Expecting value" in problems(broken)[0]


NEWER = "0.38.0"
LOSS = "/api/v1/forward_backward"


def loss_exchange(body: bytes, **headers: str) -> Exchange:
    valid = exchange(path=LOSS, response_body={"request_id": "1"})
    named = {"content-type": "application/x-protobuf", "x-api-key": "tml-x", **headers}
    return evolve(valid, request=evolve(valid.request, message=Message(named, body)))


def newer_problems(exchange: Exchange) -> list[str]:
    return list(load_contract(NEWER).verdict(exchange).problems)


def make_request() -> messages.ForwardBackwardRequest:
    request = messages.ForwardBackwardRequest(model_id="m", seq_id=1, loss_fn="ppo")
    request.data.add().loss_fn_inputs["weights"].shape.append(1)
    return request


def test_valid_message_has_no_problems() -> None:
    body = make_request().SerializeToString()
    assert newer_problems(loss_exchange(body)) == []
    compressed = loss_exchange(zstandard.compress(body), **{"content-encoding": "zstd"})
    assert newer_problems(compressed) == []


def test_unknown_field_of_a_message_is_reported() -> None:
    request = make_request()
    request.data[0].loss_fn_inputs["weights"].MergeFromString(b"\x98\x06\x01")  # field 99
    reported = newer_problems(loss_exchange(request.SerializeToString()))
    place = "ForwardBackwardRequest.data.loss_fn_inputs.99"
    assert reported == [f"forward_backward: body: {place}: no such field"]


def test_malformed_message_is_reported() -> None:
    assert "not a ForwardBackwardRequest" in newer_problems(loss_exchange(b"\xff"))[0]
    broken = loss_exchange(b"not zstd", **{"content-encoding": "zstd"})
    assert newer_problems(broken)[0].startswith("forward_backward: body: ")


def test_message_of_another_type_is_reported() -> None:
    output = messages.ForwardBackwardOutput(loss_fn_output_type="x")
    output.metrics["loss:sum"] = 1.0
    valid = exchange(path=FUTURE, body={"request_id": "1"}, x_tinker_request_type="Sample")
    message = Message({"content-type": "application/x-protobuf"}, output.SerializeToString())
    invalid = evolve(valid, response=Response(200, message))
    assert "SampleResponse" in newer_problems(invalid)[0]
    corrected = evolve(
        invalid,
        request=evolve(
            valid.request,
            message=evolve(
                valid.request.message,
                headers={**valid.request.message.headers, "x-tinker-request-type": "Forward"},
            ),
        ),
    )
    assert newer_problems(corrected) == []
