"""The spans of each call: their tree, attributes and parents."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import tinker_ext as tinker
from tests.builders import PROMPT, datum
from tests.unit.tracing.sdk import Sdk, attributes_of, id_of
from tests.waiting import comes_true
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client
from tinker_ext.tracing.names import SHORT_STAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.sdk.trace import ReadableSpan

PARAMS = tinker.SamplingParams(
    max_tokens=4, temperature=0.5, top_p=0.9, seed=7, stop=["hidden stop"]
)
tracer = trace.get_tracer("tests")


def without_short(tree: list[Any]) -> list[Any]:
    """Remove the stages that only have spans on a slow machine."""
    short = {f"tinker.{stage.value}" for stage in SHORT_STAGES}
    return [tree[0], *(without_short(item) for item in tree[1:] if item[0] not in short)]


class Slow(FakeServer):
    """Sends bodies so slowly that short stages have spans."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        content = await response.aread()

        async def body() -> AsyncIterator[bytes]:
            await asyncio.sleep(0.01)
            yield content

        return httpx.Response(response.status_code, content=body())


def end(span: ReadableSpan) -> int:
    assert span.end_time is not None
    return span.end_time


def test_sample_has_spans_from_call_to_result(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 2, PARAMS).result(30)
    sample = sdk.single("tinker.sample")
    assert without_short(sdk.tree(sample)) == [
        "tinker.sample",
        ["tinker.submit", ["POST /api/v1/asample"]],
        ["tinker.server", ["POST /api/v1/retrieve_future"]],
    ]
    assert sample.kind is SpanKind.CLIENT
    assert attributes_of(sample) == {
        "tinker.session.id": "session-1",
        "tinker.request.id": ("request-2",),
        "tinker.seq_id": (0,),
        "tinker.dialect.release": "0.4.1",
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "tinker",
        "gen_ai.request.model": "fake/model",
        "gen_ai.request.max_tokens": 4,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 2,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.response.finish_reasons": ("length", "length"),
    }


def test_attempt_spans_follow_http_conventions(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("asample", Reply(503), httpx.ReadError("gone"))
    with make_client(server, clock=SimulatedTime().clock) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    first, second, third = sdk.named("POST /api/v1/asample")
    size = attributes_of(third).pop("http.request.body.size")
    common = {
        "http.request.method": "POST",
        "url.full": "http://fake.invalid/api/v1/asample",
        "server.address": "fake.invalid",
        "server.port": 80,
        "http.request.body.size": size,
    }
    assert attributes_of(first) == common | {
        "http.response.status_code": 503,
        "http.response.body.size": 0,
        "error.type": "503",
    }
    assert attributes_of(second) == common | {
        "http.request.resend_count": 1,
        "error.type": "APIConnectionError",
    }
    assert (third.attributes or {})["http.request.resend_count"] == 2
    assert [span.status.status_code for span in (first, second, third)] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    submit = next(
        span
        for span in sdk.named("tinker.submit")
        if "POST /api/v1/asample" in [child.name for child in sdk.children(span)]
    )
    assert [(event.name, (event.attributes or {})["error.type"]) for event in submit.events] == [
        ("tinker.retry", "503"),
        ("tinker.retry", "APIConnectionError"),
    ]
    assert [child.name for child in sdk.children(submit)] == [
        "POST /api/v1/asample",
        "tinker.pause",
        "POST /api/v1/asample",
        "tinker.pause",
        "POST /api/v1/asample",
    ]


def test_queue_state_of_poll_is_span_event(sdk: Sdk) -> None:
    server = FakeServer()
    paused = {"type": "try_again", "queue_state": "paused_capacity", "queue_state_reason": "full"}
    server.respond("retrieve_future", Reply(408, paused), Reply(408, {"queue_state": "active"}))
    with make_client(server) as service:
        service.create_lora_training_client("fake/model", rank=4)
    stage = sdk.single("tinker.server")
    assert [(event.name, dict(event.attributes or {})) for event in stage.events] == [
        ("tinker.poll", {"tinker.queue.state": "paused_capacity", "tinker.queue.reason": "full"}),
        ("tinker.poll", {"tinker.queue.state": "active"}),
    ]


def test_forward_backward_span_has_batch_size_and_both_chunks(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        training.forward_backward([datum(3)] * 200, "cross_entropy").result(30)
    span = sdk.single("tinker.forward_backward")
    assert attributes_of(span) == {
        "tinker.session.id": "session-1",
        "tinker.model.id": training.model_id,
        "tinker.loss_fn": "cross_entropy",
        "tinker.datum.count": 200,
        "tinker.token.count": 600,
        "tinker.dialect.release": "0.4.1",
        "tinker.chunk.count": 2,
        "tinker.seq_id": (1, 2),
        "tinker.request.id": ("request-2", "request-3"),
    }
    stages = [child.name for child in sdk.children(span)]
    assert (stages.count("tinker.submit"), stages.count("tinker.server")) == (2, 2)


def test_slow_short_stages_have_spans(sdk: Sdk) -> None:
    data = [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints([1] * 2000),
            loss_fn_inputs={"target_tokens": [1] * 2000, "weights": [1.0] * 2000},
        )
        for _ in range(160)
    ]
    with make_client(Slow()) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        training.forward_backward(data, "cross_entropy").result(30)
    span = sdk.single("tinker.forward_backward")
    below = {child.name for child in sdk.children(span)}
    assert {"tinker.encode", "tinker.wait", "tinker.decode"} <= below
    assert span.start_time is not None
    encode = next(child for child in sdk.children(span) if child.name == "tinker.encode")
    assert (encode.start_time or 0) >= span.start_time
    assert end(encode) - (encode.start_time or 0) > 1e6
    for server in sdk.named("tinker.server"):
        [poll, *_] = sdk.children(server)
        assert [child.name for child in sdk.children(poll)] == ["tinker.fetch"]


def test_request_behind_another_has_wait_turn_span(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("forward_backward", lambda _: _slowly(server))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        first = training.forward_backward([datum(3)], "cross_entropy")
        training.optim_step(tinker.AdamParams()).result(30)
        first.result(30)
    turn = sdk.single("tinker.wait_turn")
    assert turn.parent is not None
    assert turn.parent.span_id == id_of(sdk.single("tinker.optim_step"))
    assert end(turn) - (turn.start_time or 0) > 0.2e9


def _slowly(server: FakeServer) -> Reply:
    done = server.submitted({"loss_fn_outputs": [{}], "metrics": {}, "loss_fn_output_type": ""})
    return Reply(200, done.body, delay=0.25)


def test_callers_span_is_parent_across_threads(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")

        def call(name: str) -> None:
            with tracer.start_as_current_span(name):
                future = sampler.sample(PROMPT, 1, PARAMS)
            future.result(30)  # Retrieved outside the span, which makes no difference.

        threads = [threading.Thread(target=call, args=(f"caller {i}",)) for i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    parents = {
        span.parent.span_id for span in sdk.named("tinker.sample") if span.parent is not None
    }
    assert parents == {id_of(sdk.single(f"caller {i}")) for i in range(5)}
    for sample in sdk.named("tinker.sample"):
        traces = {child.context.trace_id for child in sdk.children(sample) if child.context}
        assert sample.context is not None
        assert traces == {sample.context.trace_id}


async def test_callers_span_is_parent_from_coroutine(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server) as service:
        sampler = await service.create_sampling_client_async(base_model="fake/model")

        async def call(name: str) -> None:
            with tracer.start_as_current_span(name):
                await sampler.sample_async(PROMPT, 1, PARAMS)

        await asyncio.gather(*(call(f"coroutine {i}") for i in range(5)))
    parents = {
        span.parent.span_id for span in sdk.named("tinker.sample") if span.parent is not None
    }
    assert parents == {id_of(sdk.single(f"coroutine {i}")) for i in range(5)}


def test_step_groups_its_calls(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        for number in range(2):
            with tinker.step(number):
                future = training.forward_backward([datum(3)], "cross_entropy")
                training.optim_step(tinker.AdamParams()).result(30)
                future.result(30)
    steps = sdk.named("tinker.step")
    assert [attributes_of(step) for step in steps] == [{"tinker.step": 0}, {"tinker.step": 1}]
    for step in steps:
        assert [child.name for child in sdk.children(step)] == [
            "tinker.forward_backward",
            "tinker.optim_step",
        ]


def test_error_sets_status_and_class_without_message(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("asample", Reply(400, {"detail": "hidden words"}))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.BadRequestError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    span = sdk.single("tinker.sample")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "BadRequestError"
    assert not any("hidden words" in span.to_json() for span in sdk.spans)


def test_invalid_argument_ends_span_in_call(sdk: Sdk) -> None:
    with make_client(FakeServer()) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.InvalidInputError):
            sampler.sample(tinker.ModelInput.from_ints([]), 1, PARAMS)
    assert attributes_of(sdk.single("tinker.sample"))["error.type"] == "InvalidInputError"
    assert not trace.get_current_span().get_span_context().is_valid


def test_cancelled_request_ends_span(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("asample", Reply(200, delay=30))
    service = make_client(server)
    future = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
    assert comes_true(lambda: bool(server.calls("asample")))
    assert future.cancel()
    service.close(timeout=0)
    assert attributes_of(sdk.single("tinker.sample"))["error.type"] == "CancelledError"


def test_custom_loss_has_both_requests_as_children(sdk: Sdk) -> None:
    def loss(data: Any, logprobs: Any) -> Any:
        return 1.0, [logprob * 0 for logprob in logprobs], {}

    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        training.forward_backward_custom([datum(3)], loss, arrays="numpy").result(30)
    span = sdk.single("tinker.forward_backward_custom")
    names = [child.name for child in sdk.children(span)]
    assert [name for name in names if without_short(["", [name]])[1:]] == [
        "tinker.forward",
        "tinker.custom_loss",
        "tinker.forward_backward",
    ]


def test_heartbeat_has_no_span(sdk: Sdk) -> None:
    server = FakeServer()
    with make_client(server, heartbeat_interval=0.05) as service:
        with tracer.start_as_current_span("caller"):
            service.create_sampling_client(base_model="fake/model")
        assert comes_true(lambda: bool(server.calls("session_heartbeat")))
    assert "traceparent" not in server.calls("session_heartbeat")[0].headers
    assert not [span for span in sdk.spans if "heartbeat" in span.name]
