"""The OpenAI-compatible endpoint: the requests that it sends, its responses and errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.builders import announce
from tests.waiting import comes_true
from tinker_ext.clients.service import ServiceClient
from tinker_ext.openai_api import EndpointError, OpenAIEndpoint, samplers
from tinker_ext.openai_api.endpoint import DISCONNECTED, PREFIX
from tinker_ext.redaction.secret import Secret
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.tokenizers import get_tokenizer

MODEL = "embedded/tiny"
CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
TEXT: dict[str, Any] = {"model": MODEL, "prompt": "hi"}
CALLER = {"authorization": "Bearer tml-caller"}
WAITING = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"}, delay=0.05)


def encode(text: str) -> list[int]:
    ids: list[int] = get_tokenizer(MODEL).encode(text, add_special_tokens=False)
    return ids


def decode(tokens: list[int]) -> str:
    return str(get_tokenizer(MODEL).decode(tokens))


def sampled(server: FakeServer, *texts: str, reason: str = "length", **extra: Any) -> None:
    """Make the next result have a sequence for each text."""
    sequences = [
        {
            "tokens": encode(text),
            "logprobs": [-0.5] * len(encode(text)),
            "stop_reason": reason,
            **extra,
        }
        for text in texts
    ]
    server.respond("retrieve_future", Reply(200, {"sequences": sequences}))


@asynccontextmanager
async def serving(
    server: FakeServer, settings: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an endpoint in front of a server in memory; `settings` are for its clients."""

    def open_service(key: Secret | None) -> ServiceClient:
        credentials = {} if key is None else {"api_key": key}
        return make_client(server, **{**(settings or {}), **credentials})

    endpoint = OpenAIEndpoint(open_service, **options)
    app = Starlette(routes=endpoint.routes())
    transport = httpx.ASGITransport(app)
    address = f"http://endpoint{PREFIX}/"
    async with httpx.AsyncClient(transport=transport, base_url=address, headers=CALLER) as client:
        client.app = app  # type: ignore[attr-defined]  # for tests that need the bare application
        yield client
    await endpoint.close()


def events(response: httpx.Response) -> list[Any]:
    """The contents of the events of a stream, without the last one."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1] if not line.startswith(":")]


async def test_chat_sends_templated_prompt_and_parameters() -> None:
    server = FakeServer()
    sampled(server, " hello")
    options = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 3}
    async with serving(server) as client:
        response = await client.post("chat/completions", json={**CHAT, **options})
    body = response.json()
    assert response.status_code == 200, body
    assert body["choices"][0]["message"]["content"] == " hello"
    assert body["choices"][0]["finish_reason"] == "length"
    assert (body["object"], body["model"]) == ("chat.completion", MODEL)
    [call] = server.calls("asample")
    [chunk] = call.body["prompt"]["chunks"]
    assert decode(chunk["tokens"]) == "User: hi\n\nAssistant:"
    end = get_tokenizer(MODEL).eos_token_id
    assert call.body["sampling_params"] == {**options, "stop": [end]}
    count, asked = len(encode(" hello")), len(chunk["tokens"])
    assert body["usage"] == {
        "prompt_tokens": asked,
        "completion_tokens": count,
        "total_tokens": asked + count,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def test_completion_samples_from_each_prompt() -> None:
    server = FakeServer()
    prompts = [encode("one"), encode("two")]
    async with serving(server) as client:
        response = await client.post("completions", json={**TEXT, "prompt": prompts, "n": 2})
    choices = response.json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    calls = server.calls("asample")
    assert sorted(call.body["prompt"]["chunks"][0]["tokens"] for call in calls) == sorted(prompts)
    assert {call.body["num_samples"] for call in calls} == {2}
    assert len(server.calls("create_sampling_session")) == 1


@pytest.mark.parametrize(
    ("model", "field"), [(MODEL, "base_model"), ("tinker://run/sampler_weights/1", "model_path")]
)
async def test_model_is_a_base_model_or_a_path(model: str, field: str) -> None:
    server = FakeServer()
    server.respond_always("get_sampler", Reply(200, {"sampler_id": "s", "base_model": MODEL}))
    async with serving(server) as client:
        response = await client.post("completions", json={**TEXT, "model": model})
    assert response.status_code == 200, response.text
    [call] = server.calls("create_sampling_session")
    assert call.body[field] == model


async def test_text_ends_before_stop_text_and_end_token() -> None:
    server = FakeServer()
    end = get_tokenizer(MODEL).eos_token_id
    sampled(server, "one two three", reason="stop")
    sampled(server, "one two", tokens=[*encode("one"), end, *encode("two")], logprobs=None)
    async with serving(server) as client:
        by_text = await client.post("completions", json={**TEXT, "stop": [" three", "x"]})
        by_token = await client.post("completions", json=TEXT)
    assert by_text.json()["choices"][0]["text"] == "one two"
    assert by_text.json()["choices"][0]["finish_reason"] == "stop"
    assert by_token.json()["choices"][0]["text"] == "one"
    assert by_token.json()["choices"][0]["finish_reason"] == "stop"
    assert server.calls("asample")[0].body["sampling_params"]["stop"] == [" three", "x"]


async def test_chat_logprobs_have_tokens_bytes_and_alternatives() -> None:
    server = FakeServer()
    announce(server)
    token, other = encode("a")[0], encode("b")[0]
    sampled(server, "a", topk_logprobs=[[[other, -0.25], [token, -0.5]]])
    async with serving(server) as client:
        body = {**CHAT, "logprobs": True, "top_logprobs": 2}
        response = await client.post("chat/completions", json=body)
    [content] = response.json()["choices"][0]["logprobs"]["content"]
    assert content == {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [
            {"token": "b", "logprob": -0.25, "bytes": [98]},
            {"token": "a", "logprob": -0.5, "bytes": [97]},
        ],
    }
    assert server.calls("asample")[0].body["topk_sample_logprobs"] == 2


async def test_echo_returns_prompt_logprobs_without_sampled_text() -> None:
    server = FakeServer()
    prompt = encode("abc")
    body = {**TEXT, "prompt": prompt, "max_tokens": 0, "echo": True, "logprobs": 0}
    async with serving(server) as client:
        response = await client.post("completions", json=body)
    [choice] = response.json()["choices"]
    assert choice["text"] == "abc"
    assert choice["logprobs"] == {
        "tokens": ["a", "b", "c"],
        "token_logprobs": [None, -1.0, -1.0],
        "top_logprobs": [None, {"b": -1.0}, {"c": -1.0}],
        "text_offset": [0, 1, 2],
    }
    assert server.calls("asample")[0].body["sampling_params"]["max_tokens"] == 1


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
async def test_stream_adds_up_to_the_complete_response(path: str) -> None:
    server = FakeServer()
    for _ in range(2):
        sampled(server, "one two", "three", reason="stop")
    body = {**(CHAT if path.startswith("chat") else TEXT), "n": 2}
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    async with serving(server) as client:
        whole = (await client.post(path, json=body)).json()
        response = await client.post(path, json={**body, **stream})
    assert response.headers["content-type"].startswith("text/event-stream")
    *parts, last = events(response)
    assert (last["choices"], last["usage"]) == ([], whole["usage"])
    texts, reasons = ["", ""], [None, None]
    for part in parts:
        assert part["usage"] is None
        assert part["id"] == last["id"]
        [choice] = part["choices"]
        text = choice["delta"].get("content", "") if "delta" in choice else choice["text"]
        texts[choice["index"]] += text
        reasons[choice["index"]] = choice["finish_reason"]
    assert texts == ["one two", "three"]
    assert reasons == ["stop", "stop"]


async def test_stream_of_logprobs_has_offsets() -> None:
    server = FakeServer()
    sampled(server, "ab")
    async with serving(server) as client:
        body = {**TEXT, "stream": True, "logprobs": 0}
        response = await client.post("completions", json=body)
    logprobs = [part["choices"][0]["logprobs"] for part in events(response)]
    assert [item and item["text_offset"] for item in logprobs] == [[0], [1], None]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(401, {"detail": "no"}), 401, "invalid_api_key"),
        (Reply(402, {"detail": "pay"}), 402, "insufficient_quota"),
        (Reply(404, {"detail": "no such model"}), 404, "model_not_found"),
        (Reply(429, {"detail": "slow"}, headers={"Retry-After": "7"}), 429, "rate_limit_exceeded"),
        (Reply(503, {"detail": "down"}), 503, None),
        (httpx.ConnectError("refused"), 502, None),
    ],
    ids=["401", "402", "404", "429", "503", "unreachable"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_server_error_has_openai_form(
    reply: Any, status: int, code: str | None, stream: bool
) -> None:
    server = FakeServer()
    server.respond_always("create_sampling_session", reply)
    settings = {"max_retries": 0}
    async with serving(server, settings) as client:
        response = await client.post("completions", json={**TEXT, "stream": stream})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert error["type"] == {
        401: "authentication_error",
        429: "rate_limit_error",
        502: "server_error",
        503: "server_error",
    }.get(status, "invalid_request_error")
    if status == 429:
        assert response.headers["retry-after"] == "7"


async def test_failed_sampler_is_opened_again_by_the_next_request() -> None:
    server = FakeServer()
    server.respond("create_sampling_session", Reply(404, {"detail": "not yet"}))
    async with serving(server, {"max_retries": 0}) as client:
        first = await client.post("completions", json=TEXT)
        second = await client.post("completions", json=TEXT)
    assert (first.status_code, second.status_code) == (404, 200)


async def test_failure_after_the_start_of_a_stream_is_an_event() -> None:
    server = FakeServer()
    failed = {"error": "out of memory", "category": "server"}
    server.respond("retrieve_future", WAITING, Reply(200, failed))
    async with serving(server, stream_start=0) as client:
        response = await client.post("chat/completions", json={**CHAT, "stream": True})
    assert response.status_code == 200
    comment, event = response.text.strip().split("\n\n")
    assert comment.startswith(":")
    error = json.loads(event.removeprefix("data: "))["error"]
    assert error["type"] == "server_error"
    assert "out of memory" in error["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_unexpected_error_is_an_internal_error_and_logged(
    stream: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def decode(*_: object, **__: object) -> str:
        raise LookupError("token 7")

    monkeypatch.setattr(get_tokenizer(MODEL), "decode", decode)
    server = FakeServer()
    server.respond("retrieve_future", WAITING)
    async with serving(server, stream_start=0) as client:
        response = await client.post("completions", json={**TEXT, "stream": stream})
    assert response.status_code == (200 if stream else 500)
    last = response.text.strip().split("\n\n")[-1].removeprefix("data: ")
    assert json.loads(last)["error"]["message"] == "internal error: LookupError"
    assert "LookupError: token 7" in caplog.text


@pytest.mark.parametrize(
    ("headers", "content", "status", "message"),
    [
        ({"authorization": ""}, b"{}", 401, "Bearer KEY"),
        ({"authorization": "Basic abc"}, b"{}", 401, "Bearer KEY"),
        ({"authorization": "Bearer "}, b"{}", 401, "Bearer KEY"),
        ({"content-type": "text/plain"}, b"{}", 415, "expected application/json"),
        ({}, b"{", 400, "not valid JSON"),
        ({}, b'{"model": "m"}', 400, "messages is required"),
    ],
)
async def test_invalid_request_is_rejected_before_anything_is_sent(
    headers: dict[str, str], content: bytes, status: int, message: str
) -> None:
    server = FakeServer()
    async with serving(server) as client:
        all_headers = {"content-type": "application/json", **headers}
        response = await client.post("chat/completions", content=content, headers=all_headers)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]
    assert server.received == []


async def test_key_that_fits_no_header_is_invalid() -> None:
    async with serving(FakeServer()) as client:
        headers = {"authorization": "Bearer two words"}
        response = await client.post("completions", json=TEXT, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_check_rejects_foreign_hosts() -> None:
    def check(request: object) -> None:
        raise EndpointError(421, "Host is not a name of this server")

    async with serving(FakeServer(), check=check) as client:
        response = await client.post("completions", json=TEXT)
    assert (response.status_code, response.json()["error"]["type"]) == (
        421,
        "invalid_request_error",
    )


async def test_model_without_chat_template_names_completions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(get_tokenizer(MODEL), "chat_template", None)
    async with serving(FakeServer()) as client:
        response = await client.post("chat/completions", json=CHAT)
    assert response.status_code == 400
    assert "has no chat template" in response.json()["error"]["message"]


async def test_template_that_rejects_messages_is_a_bad_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = "{{ raise_exception('roles must alternate') }}"
    monkeypatch.setattr(get_tokenizer(MODEL), "chat_template", template)
    async with serving(FakeServer()) as client:
        response = await client.post("chat/completions", json=CHAT)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")
    assert "roles must alternate" in response.json()["error"]["message"]


@pytest.mark.parametrize("model", ["TINKER://run/sampler_weights/1", "tinker:// x"])
async def test_invalid_model_is_rejected_before_a_session(model: str) -> None:
    server = FakeServer()
    async with serving(server) as client:
        response = await client.post("completions", json={**TEXT, "model": model})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "model")
    assert "tinker://RUN/sampler_weights/NAME" in error["message"]
    assert server.calls("create_sampling_session") == []


async def test_missing_tokenizer_names_the_option(tmp_path: Path) -> None:
    # A folder needs no hub, and this one has no tokenizer.
    async with serving(FakeServer(), tokenizer_id=str(tmp_path)) as client:
        response = await client.post("completions", json=TEXT)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (500, "server_error")
    assert error["message"].startswith(f"No tokenizer for {MODEL}. Tried: {tmp_path} (")
    assert "--tokenizer" in error["message"]
    assert "get_tokenizer" not in error["message"]


async def test_tokenizer_of_the_endpoint_needs_no_base_model_of_the_server() -> None:
    server = FakeServer()
    sampled(server, " hello")
    body = {**TEXT, "model": "tinker://run/sampler_weights/1"}
    async with serving(server, tokenizer_id=MODEL) as client:
        response = await client.post("completions", json=body)
    assert response.json()["choices"][0]["text"] == " hello"
    assert server.calls("get_sampler") == []
    [call] = server.calls("asample")
    assert call.body["prompt"]["chunks"][0]["tokens"] == encode("hi")


async def test_variables_of_the_template_are_set_by_the_caller_and_the_template_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(get_tokenizer(MODEL), "chat_template", "{{ mood }}")
    server = FakeServer()
    async with serving(server) as client:
        for options in ({"mood": "ok"}, {"mood": "ok", "chat_template": "{{ 'x' * 9 ** 9 }}"}):
            body = {**CHAT, "chat_template_kwargs": options}
            response = await client.post("chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (
        400,
        "chat_template_kwargs",
    )
    (sample,) = server.calls("asample")
    assert sample.body["prompt"]["chunks"][0]["tokens"] == get_tokenizer(MODEL).encode("ok")


async def test_caller_key_is_sent_to_the_server() -> None:
    server = FakeServer()
    async with serving(server) as client:
        await client.post("completions", json=TEXT)
        await client.post("completions", json=TEXT, headers={"authorization": "Bearer tml-other"})
    keys = {call.headers["x-api-key"] for call in server.calls("asample")}
    assert keys == {"tml-caller", "tml-other"}


async def test_key_of_the_endpoint_selects_configured_credentials() -> None:
    server = FakeServer()
    settings = {"api_key": "tml-configured"}
    async with serving(server, settings, key=Secret("local-key")) as client:
        wrong = await client.post("completions", json=TEXT)
        headers = {"authorization": "Bearer local-key"}
        right = await client.post("completions", json=TEXT, headers=headers)
    assert (wrong.status_code, right.status_code) == (401, 200)
    assert {call.headers["x-api-key"] for call in server.received} == {"tml-configured"}


async def test_unused_client_is_closed_for_a_further_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "MAX_CLIENTS", 1)
    server = FakeServer()
    opened: list[ServiceClient] = []

    def open_service(key: Secret | None) -> ServiceClient:
        opened.append(make_client(server, api_key=key))
        return opened[-1]

    clients = samplers.Clients(open_service)
    async with clients.client(Secret("tml-first")):
        with pytest.raises(EndpointError, match="429"):
            async with clients.client(Secret("tml-second")):
                pass
    async with clients.client(Secret("tml-second")) as client:
        assert client.service is opened[1]
    assert [service._core.closed for service in opened] == [True, False]
    await clients.close()
    assert opened[1]._core.closed


async def test_models_are_those_of_the_server() -> None:
    server = FakeServer()
    models = [{"model_name": "a/b"}, {"model_name": "c/d"}]
    server.respond("get_server_capabilities", Reply(200, {"supported_models": models}))
    async with serving(server) as client:
        response = await client.get("models")
    assert [model["id"] for model in response.json()["data"]] == ["a/b", "c/d"]


async def call_and_disconnect(
    app: Starlette, body: dict[str, Any], sent: Callable[[], bool]
) -> list[dict[str, Any]]:
    """Send a request to the bare application and disconnect when `sent()`; returns the messages."""
    messages: list[dict[str, Any]] = []
    requested = False

    async def receive() -> dict[str, Any]:
        nonlocal requested
        if not requested:
            requested = True
            return {"type": "http.request", "body": json.dumps(body).encode()}
        assert await asyncio.to_thread(comes_true, sent)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    headers = {**CALLER, "content-type": "application/json"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{PREFIX}/completions",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return messages


@pytest.mark.parametrize("stream_start", [60.0, 0.0], ids=["before start", "after start"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_disconnected_client_cancels_samples(stream: bool, stream_start: float) -> None:
    server = FakeServer()
    announce(server, dynamic={"sample_cancel_enabled": True})
    server.respond_always("retrieve_future", WAITING)
    opened: list[ServiceClient] = []

    def open_service(key: Secret | None) -> ServiceClient:
        opened.append(make_client(server, max_samples_in_flight=2))
        return opened[-1]

    endpoint = OpenAIEndpoint(open_service, stream_start=stream_start)
    body = {**TEXT, "prompt": ["one", "two"], "stream": stream}
    app = Starlette(routes=endpoint.routes())
    messages = await call_and_disconnect(
        app, body, lambda: len(server.calls("retrieve_future")) > 1
    )
    assert await asyncio.to_thread(comes_true, lambda: len(server.calls("cancel_future")) == 2)
    assert await asyncio.to_thread(comes_true, lambda: opened[0]._core.limits.samples.used == 0)
    assert messages[0]["status"] == (200 if stream and not stream_start else DISCONNECTED)
    await endpoint.close()
