"""The record of a server names its valid responses, and its problems without values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codegen.documents import load_json
from codegen.paths import TRAFFIC
from codegen.server_differences import (
    Problem,
    ServerDifference,
    load_server_differences,
    server_problems,
    unexplained,
)
from conformance.interop.recorder import Exchange, Message, Request, Response
from conformance.interop.server_traffic import ServerTraffic, specification
from conformance.interop.servers import SERVERS
from conformance.interop.support_matrix import OURS

JSON = {"content-type": "application/json", "x-api-key": "tml-x"}


def poll(value: Any, kind: str, status: int = 200) -> Exchange:
    """A poll of `retrieve_future` and its response."""
    request = Message({**JSON, "x-tinker-request-type": kind}, b'{"request_id": "1"}')
    response = Message(JSON, json.dumps(value).encode())
    return Exchange(
        Request("POST", "/api/v1/retrieve_future", "", request), Response(status, response)
    )


def summary(*exchanges: Exchange, client: str = OURS) -> dict[str, Any]:
    return ServerTraffic("0.4.1", client, list(exchanges)).summary


def test_result_is_confirmed_with_its_type() -> None:
    step, sample = poll({"metrics": None}, "OptimStep"), poll({"sequences": []}, "Sample")
    assert summary(step, sample)["confirmed"] == {
        "retrieve_future": [
            "200 application/json OptimStepResponse",
            "200 application/json SampleResponse",
        ]
    }


def test_failed_request_is_confirmed_as_such() -> None:
    failure = poll({"error": "no", "category": "user"}, "Sample")
    assert summary(failure)["confirmed"] == {
        "retrieve_future": ["200 application/json RequestFailedResponse"]
    }


@pytest.mark.parametrize(
    "response",
    [
        poll({"type": "try_again", "request_id": "1", "queue_state": "active"}, "Sample"),
        poll({"detail": "timeout"}, "Sample", 408),
        poll({"detail": "no such future"}, "Sample", 404),
    ],
)
def test_waiting_and_errors_confirm_nothing(response: Exchange) -> None:
    assert summary(response) == {
        "confirmed": {},
        "unconfirmed": ["retrieve_future"],
        "problems": {},
    }


def test_one_invalid_response_refutes_its_kind() -> None:
    valid, invalid = poll({"sequences": []}, "Sample"), poll({"sequences": [1]}, "Sample")
    assert summary(valid, invalid, poll({"metrics": {}}, "OptimStep"))["confirmed"] == {
        "retrieve_future": ["200 application/json OptimStepResponse"]
    }


def test_problem_has_neither_value_nor_index() -> None:
    responses = [
        poll({"sequences": [{"stop_reason": "stop", "tokens": tokens}]}, "Sample")
        for tokens in (["x"], [1, "secret"])
    ]
    problems = [summary(response)["problems"]["tinker.yaml"] for response in responses]
    assert problems[0] == problems[1]
    assert problems[0] == [
        'retrieve_future: response 200: sequences/*/tokens/*: the value is not of type "integer"'
    ]


def test_response_outside_the_release_is_a_problem_of_the_release_only() -> None:
    future = json.dumps({"request_id": "1"}).encode()
    body = json.dumps({"model_id": "m", "adam_params": {}, "seq_id": 1}).encode()
    request = Request("POST", "/api/v1/optim_step", "", Message(JSON, body))
    response = Response(202, Message(JSON, future))
    assert summary(Exchange(request, response)) == {
        "confirmed": {"optim_step": ["202 application/json"]},
        "unconfirmed": [],
        "problems": {"release": ["optim_step: response: status 202 is not documented"]},
    }


def test_invalid_request_is_a_problem_without_a_reason() -> None:
    request = Request("POST", "/api/v1/optim_step", "", Message(JSON, b"{}"))
    response = Response(200, Message(JSON, b'{"request_id": "1"}'))
    entry = {"clients": {OURS: summary(Exchange(request, response))}}
    problems = server_problems({"tuft": entry})
    assert problems == [
        Problem("tuft", "requests", 'optim_step: body: : "model_id" is a required property')
    ]
    always = ServerDifference(("tuft",), "release", "*", "server", "no reason")
    assert unexplained(problems, [*load_server_differences(), always]) == problems


class TestRecord:
    """`openapi/traffic.json`, which `make traffic` writes."""

    def test_every_server_was_called_by_this_client_and_an_official_one(self) -> None:
        servers = load_json(TRAFFIC)["servers"]
        assert list(servers) == list(SERVERS)
        for name, entry in servers.items():
            assert entry["package"] == SERVERS[name].package, f"`make traffic ONLY={name}`"
            assert list(entry["clients"]) == [OURS, f"tinker {SERVERS[name].release}"]
            for item in entry["clients"].values():
                named = {*item["confirmed"], *item["unconfirmed"]}
                assert named <= set(specification().operation_ids)

    def test_most_operations_are_confirmed_by_a_server_of_another_project(self) -> None:
        servers = load_json(TRAFFIC)["servers"].values()
        clients = [item for entry in servers for item in entry["clients"].values()]
        confirmed = {name for item in clients for name in item["confirmed"]}
        assert {"create_model", "forward_backward", "optim_step", "asample"} <= confirmed
        assert len(confirmed) >= 25

    def test_every_difference_has_a_reason_and_every_reason_a_difference(self) -> None:
        problems = server_problems(load_json(TRAFFIC)["servers"])
        differences = load_server_differences()
        assert unexplained(problems, differences) == []
        for difference in differences:
            assert any(difference.explains(problem) for problem in problems), difference
            for server in difference.servers:
                assert any(difference.explains(item) for item in problems if item.server == server)
            assert difference.wrong in ("server", "specification")
