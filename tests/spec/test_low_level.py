"""The bindings without the client: docs/low-level.md, its program, and `tinker_ext.low_level`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import httpx
import numpy as np
import pytest
from tinker_api import AuthenticatedClient, Client
from tinker_api.api.sessions import create_session
from tinker_api.api.training import forward_backward
from tinker_api.models import (
    CreateSessionRequest,
    Datum,
    ForwardBackwardInput,
    ForwardBackwardOutput,
    ForwardBackwardRequest,
    LossFnInputs,
    ModelInput,
    UserMetadata,
)

from codegen.paths import ROOT
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.errors import (
    APIConnectionError,
    APIResponseValidationError,
    AuthenticationError,
    DeadlineExceededError,
    GoneError,
    InvalidInputError,
    RequestFailedError,
)
from tinker_ext.low_level import encode_json, tensor, wait_for, wait_for_async

PROGRAM = ROOT / "examples" / "low_level.py"
PAGE = (ROOT / "docs" / "low-level.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
RESULT = {"loss_fn_output_type": "scalar", "loss_fn_outputs": [], "metrics": {"loss:sum": 1.5}}
Reply = httpx.Response | Exception


def test_program_in_documentation_is_the_example() -> None:
    assert BLOCKS[0] == PROGRAM.read_text(encoding="utf-8")


def test_program_trains_and_samples_on_the_strict_embedded_server() -> None:
    with start_embedded(protocol="0.4.1") as server:
        environment = {"TINKER_BASE_URL": server.url, "TINKER_API_KEY": "tml-any"}
        ran = subprocess.run(
            [sys.executable, str(PROGRAM)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    losses = [float(loss) for loss in re.findall(r"'loss:sum': ([\d.]+)", ran.stdout)]
    assert len(losses) == 8
    assert losses[-1] < 0.5 * losses[0]
    assert ran.stdout.splitlines()[-1].startswith("b'")


def test_other_blocks_of_documentation_run() -> None:
    imports = "\n".join(line for line in BLOCKS[0].splitlines() if re.match("import|from", line))
    exec("\n".join([imports, *BLOCKS[1:]]), {})


class Server:
    """Responds with `replies` in their order, and records the requests."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self.replies = iter(replies)
        self.requests: list[httpx.Request] = []

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = next(self.replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def respond_async(self, request: httpx.Request) -> httpx.Response:
        return self.respond(request)

    def client(self, **settings: Any) -> Client:
        arguments = {"transport": httpx.MockTransport(self.respond)}
        return Client("http://server", httpx_args=arguments, **settings)

    def async_client(self) -> Client:
        arguments = {"transport": httpx.MockTransport(self.respond_async)}
        return Client("http://server", httpx_args=arguments)


def pending() -> httpx.Response:
    return httpx.Response(200, json={"type": "try_again", "queue_state": "active"})


def test_wait_for_polls_until_the_result_is_ready() -> None:
    server = Server([pending(), httpx.Response(408, json={}), httpx.Response(200, json=RESULT)])
    with server.client() as client:
        output = wait_for(client, "request-1", ForwardBackwardOutput)
    assert isinstance(output, ForwardBackwardOutput)
    assert output.to_dict() == RESULT
    assert [request.url.path for request in server.requests] == ["/api/v1/retrieve_future"] * 3
    assert [json.loads(request.content) for request in server.requests] == [
        {"request_id": "request-1"}
    ] * 3


async def test_wait_for_async_polls_until_the_result_is_ready() -> None:
    server = Server([pending(), httpx.Response(200, json=RESULT)])
    async with server.async_client() as client:
        output = await wait_for_async(client, "request-1", ForwardBackwardOutput)
    assert output.to_dict() == RESULT


def test_wait_for_repeats_polls_that_fail() -> None:
    server = Server(
        [
            httpx.ConnectError("refused"),
            httpx.ReadTimeout("held"),
            httpx.Response(503, text="<html>"),
            httpx.Response(200, json=RESULT),
        ]
    )
    with server.client() as client:
        assert wait_for(client, "request-1", ForwardBackwardOutput).to_dict() == RESULT


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (
            httpx.Response(200, json={"error": "out of range", "category": "user"}),
            RequestFailedError,
            r"retrieve_future: out of range \[request id request-1; category user\]",
        ),
        (httpx.Response(410), GoneError, "no longer has the result"),
        (httpx.Response(401, json={"detail": "invalid key"}), AuthenticationError, "invalid key"),
        (
            httpx.Response(200, json={"metrics": {}}),
            APIResponseValidationError,
            "not a ForwardBackwardOutput: the field 'loss_fn_outputs' is missing",
        ),
    ],
)
def test_wait_for_raises_the_error_of_the_request(
    reply: httpx.Response, error: type[Exception], message: str
) -> None:
    server = Server([reply])
    with server.client() as client, pytest.raises(error, match=message):
        wait_for(client, "request-1", ForwardBackwardOutput)


def test_wait_for_malformed_responses_raise_after_three_repetitions() -> None:
    server = Server(
        httpx.Response(200, text="<html>", headers={"retry-after": "0"}) for _ in range(9)
    )
    with server.client() as client, pytest.raises(APIResponseValidationError, match="<html>"):
        wait_for(client, "request-1", ForwardBackwardOutput)
    assert len(server.requests) == 4


def test_wait_for_raises_at_its_timeout() -> None:
    server = Server([pending()])
    with (
        server.client() as client,
        pytest.raises(
            DeadlineExceededError, match=r"allowed 0\.01 s; last seen: queue state active"
        ),
    ):
        wait_for(client, "request-1", ForwardBackwardOutput, timeout=0.01)


def test_wait_for_raises_connection_error_after_the_retry_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server([httpx.ConnectError("refused")])
    monkeypatch.setattr("tinker_ext.low_level.should_poll_again", lambda *_, **__: False)
    with server.client() as client, pytest.raises(APIConnectionError, match="refused"):
        wait_for(client, "request-1", ForwardBackwardOutput)


def request_with(array: np.ndarray[Any, Any]) -> ForwardBackwardRequest:
    inputs = LossFnInputs()
    inputs["weights"] = tensor(array)
    datum = Datum(model_input=ModelInput([]), loss_fn_inputs=inputs)
    batch = ForwardBackwardInput([datum], loss_fn="cross_entropy")
    return ForwardBackwardRequest(batch, model_id="m", seq_id=1)


@pytest.mark.parametrize(
    ("array", "sent"),
    [
        (
            np.arange(6.0).reshape(2, 3).T,
            {"data": [0.0, 3.0, 1.0, 4.0, 2.0, 5.0], "dtype": "float32", "shape": [3, 2]},
        ),
        (np.array([1, 2], dtype=np.uint8), {"data": [1, 2], "dtype": "int64", "shape": [2]}),
    ],
)
def test_array_is_sent_by_encode_json(array: np.ndarray[Any, Any], sent: dict[str, Any]) -> None:
    server = Server([httpx.Response(200, json={"request_id": "1"})])
    with server.client(encode_json=encode_json) as client:
        forward_backward.sync(client=client, body=request_with(array))
    [request] = server.requests
    body = json.loads(request.content)
    assert body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["weights"] == sent
    assert request.headers["content-type"] == "application/json"


async def test_array_is_sent_by_encode_json_async() -> None:
    server = Server([httpx.Response(200, json={"request_id": "1"})])
    client = server.async_client()
    client.encode_json = encode_json
    async with client:
        await forward_backward.asyncio(client=client, body=request_with(np.ones(2)))
    [request] = server.requests
    assert b'"data":[1.0,1.0]' in request.content


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([1.0, np.nan]), "array: the value at flat index 1 is nan"),
        (np.array([True]), "expected integers or floats"),
    ],
)
def test_array_that_cannot_be_sent_is_rejected(array: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        tensor(array)


def test_key_is_sent_and_not_in_the_repr() -> None:
    server = Server([httpx.Response(200, json={"session_id": "s", "type": "create_session"})])
    arguments = {"transport": httpx.MockTransport(server.respond)}
    client = AuthenticatedClient("http://server", token="tml-hidden", httpx_args=arguments)
    body = CreateSessionRequest(tags=[], user_metadata=UserMetadata(), sdk_version="0.4.1")
    with client:
        assert create_session.sync(client=client, body=body).session_id == "s"
    assert server.requests[0].headers["x-api-key"] == "tml-hidden"
    assert "hidden" not in repr(client)


def test_copy_with_headers_leaves_the_original_unchanged() -> None:
    server = Server([httpx.Response(404), httpx.Response(404)])
    client = server.client()
    body = CreateSessionRequest(tags=[], user_metadata=UserMetadata(), sdk_version="0.4.1")
    with client, client.with_headers({"x-extra": "1"}) as copy:
        for sender in (client, copy):
            create_session.sync_detailed(client=sender, body=body)
    assert ["x-extra" in request.headers for request in server.requests] == [False, True]
