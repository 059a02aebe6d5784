"""The comparison of exchanges with a specification notices what is wrong in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard
from attrs import evolve
from interop.contract import contract
from interop.recorder import Answered, Asked, Exchange, Message
from tinker_api.proto import tinker_public_pb2 as messages

RELEASE = "0.4.1"
JSON_HEADERS = {"content-type": "application/json", "x-api-key": "tml-x"}


def exchange(
    method: str = "POST",
    path: str = "/api/v1/create_sampling_session",
    query: str = "",
    body: Any = None,
    answer: Any = None,
    status: int = 200,
    location: str = "http://x/y",
    **headers: str,
) -> Exchange:
    """A faultless exchange, but for what is given."""
    if body is None and method == "POST":
        body = {"session_id": "s", "sampling_session_seq_id": 0, "base_model": "m"}
    if answer is None:
        answer = {"sampling_session_id": "x"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return Exchange(
        Asked(method, path, query, Message({**JSON_HEADERS, **named}, content)),
        Answered(
            status, Message({**JSON_HEADERS, "location": location}, json.dumps(answer).encode())
        ),
    )


def problems(one: Exchange) -> list[str]:
    return list(contract(RELEASE).verdict(one).problems)


def test_a_faultless_exchange_has_no_problems() -> None:
    verdict = contract(RELEASE).verdict(exchange())
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
    "right",
    [
        exchange("GET", RUN_PATH, answer=RUN),
        exchange(path=FUTURE, answer=SAMPLES, **POLL),
        exchange(path=FUTURE, answer={"error": "no", "category": "user"}, **POLL),
    ],
)
def test_others_without_fault(right: Exchange) -> None:
    assert problems(right) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (exchange(path="/api/v1/nothing"), "no such operation"),
        (exchange("DELETE"), "no such operation"),
        (exchange(body={"session_id": "s"}), "sampling_session_seq_id"),
        (exchange(body={"session_id": "s", "sampling_session_seq_id": "0"}), "seq_id"),
        (exchange(body={"session_id": "s", "sampling_session_seq_id": 0, "x": 1}), "'x'"),
        (exchange(content_type="text/plain"), "body: content type text/plain"),
        (exchange(query="limit=1"), "query: limit is not documented"),
        (exchange("GET", "/api/v1/checkpoints", "limit=many", answer={"checkpoints": []}), "limit"),
        (exchange("GET", RUN_PATH, body={}, answer=RUN), "none is documented"),
        (exchange("GET", RUN_PATH, answer={**RUN, "is_lora": 1}), "is_lora"),
        (
            exchange(
                "GET",
                RUN_PATH,
                answer={**RUN, "last_request_time": "yesterday"},
            ),
            "last_request_time",
        ),
        (exchange(status=201), "status 201 is not documented"),
        (exchange(answer={"sampling_session_id": 1}), "sampling_session_id"),
        (exchange(path=FUTURE, answer={"path": "tinker://r/weights/x"}, **POLL), "answer 200"),
        (
            exchange(
                "GET", f"{RUN_PATH}/checkpoints/weights/x/archive", status=302, location="no where"
            ),
            "Location",
        ),
    ],
)
def test_what_is_wrong_is_told(wrong: Exchange, told: str) -> None:
    found = problems(wrong)
    assert found
    assert told in found[0]


def test_a_key_has_to_be_sent() -> None:
    one = exchange()
    headers = {"content-type": "application/json"}
    keyless = evolve(
        one, asked=evolve(one.asked, message=evolve(one.asked.message, headers=headers))
    )
    assert problems(keyless) == ["create_sampling_session: header: none of x-api-key"]


def test_an_answer_that_is_not_json_is_told() -> None:
    one = exchange()
    broken = evolve(one, answered=Answered(200, Message(JSON_HEADERS, b"<html>")))
    assert "Expecting value" in problems(broken)[0]


NEWER = "0.38.0"
LOSS = "/api/v1/forward_backward"


def loss_exchange(body: bytes, **headers: str) -> Exchange:
    one = exchange(path=LOSS, answer={"request_id": "1"})
    named = {"content-type": "application/x-protobuf", "x-api-key": "tml-x", **headers}
    return evolve(one, asked=evolve(one.asked, message=Message(named, body)))


def newer_problems(one: Exchange) -> list[str]:
    return list(contract(NEWER).verdict(one).problems)


def a_request() -> messages.ForwardBackwardRequest:
    request = messages.ForwardBackwardRequest(model_id="m", seq_id=1, loss_fn="ppo")
    request.data.add().loss_fn_inputs["weights"].shape.append(1)
    return request


def test_a_message_without_fault_has_no_problems() -> None:
    body = a_request().SerializeToString()
    assert newer_problems(loss_exchange(body)) == []
    compressed = loss_exchange(zstandard.compress(body), **{"content-encoding": "zstd"})
    assert newer_problems(compressed) == []


def test_a_field_that_is_not_in_a_message_is_told() -> None:
    request = a_request()
    request.data[0].loss_fn_inputs["weights"].MergeFromString(b"\x98\x06\x01")  # field 99
    found = newer_problems(loss_exchange(request.SerializeToString()))
    place = "ForwardBackwardRequest.data.loss_fn_inputs.99"
    assert found == [f"forward_backward: body: {place}: no such field"]


def test_what_is_no_message_is_told() -> None:
    assert "not a ForwardBackwardRequest" in newer_problems(loss_exchange(b"\xff"))[0]
    broken = loss_exchange(b"not zstd", **{"content-encoding": "zstd"})
    assert newer_problems(broken)[0].startswith("forward_backward: body: ")


def test_a_message_of_another_kind_is_told() -> None:
    output = messages.ForwardBackwardOutput(loss_fn_output_type="x")
    output.metrics["loss:sum"] = 1.0
    one = exchange(path=FUTURE, body={"request_id": "1"}, x_tinker_request_type="Sample")
    answer = Message({"content-type": "application/x-protobuf"}, output.SerializeToString())
    wrong = evolve(one, answered=Answered(200, answer))
    assert "SampleResponse" in newer_problems(wrong)[0]
    right = evolve(
        wrong,
        asked=evolve(
            one.asked,
            message=evolve(
                one.asked.message,
                headers={**one.asked.message.headers, "x-tinker-request-type": "Forward"},
            ),
        ),
    )
    assert newer_problems(right) == []
