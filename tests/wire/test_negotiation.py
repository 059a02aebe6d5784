"""Negotiation: `client/config` is requested once and obeyed; rejected requests are adapted."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import OF_0_38, PARAMS, PROMPT, datum
from tests.waiting import comes_true
from tinker_ext.runtime.connection import negotiation
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

# Flags that identify the release of a server.
OF_0_24: dict[str, Any] = {"create_model_via_load_weights": False}
OF_0_32: dict[str, Any] = {"sample_use_retrieve_futures": False}
NOT_FOUND = Reply(404, {"detail": "Not Found"})


def server_of(
    config: dict[str, Any], dynamic: dict[str, Any] | None = None, **more: Any
) -> FakeServer:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {**config, **more}))
    if dynamic is not None:
        server.respond_always("get_client_dynamic_config", Reply(200, dynamic))
    return server


def rejection(kind: str, *place: str) -> Reply:
    return Reply(422, {"detail": [{"type": kind, "loc": ["body", *place], "msg": "no"}]})


def test_client_config_is_requested_once_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = server_of(OF_0_38, {"refresh_interval_sec": 300})
    with caplog.at_level(logging.INFO, "tinker_ext"), make_client(server) as service:
        futures = [service.create_rest_client().list_training_runs() for _ in range(5)]
        for future in futures:
            future.result(10)
        service.get_server_capabilities()
        assert service.server_protocol.release == "0.38.0"
    assert [item.operation for item in server.received[:2]] == [
        "get_client_config",
        "get_client_dynamic_config",
    ]
    assert len(server.calls("get_client_config")) == 1
    version = f"0.38.0+tinker-ext.{tinker.__version__}"
    assert server.calls("get_client_config")[0].body == {"sdk_version": version}
    messages = [
        record.message for record in caplog.records if "negotiated protocol" in record.message
    ]
    assert messages == [f"http://fake.invalid: negotiated protocol: {service.server_protocol}"]


def test_session_and_telemetry_send_the_negotiated_sdk_version() -> None:
    for server, release in ((FakeServer(), "0.4.1"), (server_of(OF_0_24), "0.24.1")):
        with make_client(server, project_id="p-1", tags=["t"]) as service:
            service.create_lora_training_client("fake/model")
        assert server.calls("create_session")[0].body == {
            "tags": ["t"],
            "user_metadata": {},
            "project_id": "p-1",
            "sdk_version": f"{release}+tinker-ext.{tinker.__version__}",
            "type": "create_session",
        }
        for call in server.calls("send_telemetry"):
            assert call.body["sdk_version"].startswith(release)
            assert ("process_uuid" in call.body) == (release == "0.24.1")


def test_server_without_client_config_is_sent_one_request() -> None:
    server = FakeServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        service.create_lora_training_client("fake/model")
        assert service.server_protocol.flags is None
    operations = [call.operation for call in server.received if "config" in call.operation]
    assert operations == ["get_client_config"]


@pytest.mark.parametrize("status", [500, 503, 408])
def test_failed_negotiation_is_repeated_with_the_next_call(status: int) -> None:
    server = server_of(OF_0_24)
    server.respond("get_client_config", Reply(status))
    with make_client(server) as service:
        service.get_server_capabilities()
        assert service.server_protocol.flags is None
        service.get_server_capabilities()
        assert service.server_protocol.release == "0.24.1"


def test_failed_negotiation_is_attempted_three_times() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(500))
    with make_client(server) as service:
        for _ in range(6):
            service.get_server_capabilities()
    assert len(server.calls("get_client_config")) == 3


@pytest.mark.parametrize(
    "fault", [Reply(429, None, {"retry-after": "1"}), httpx.ConnectError("refused")]
)
def test_negotiation_retries_faults_that_would_fail_the_call_too(fault: Reply | Exception) -> None:
    server = server_of(OF_0_24)
    server.respond("get_client_config", fault, fault)
    with make_client(server, clock=SimulatedTime().clock) as service:
        service.get_server_capabilities()
        assert service.server_protocol.release == "0.24.1"
    assert len(server.calls("get_client_config")) == 3
    assert len(server.calls("get_server_capabilities")) == 1


def test_negotiation_failure_after_cancellation_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer()
    server.respond("get_client_config", Reply(429, None, {"retry-after": "0.1"}, delay=0.4))
    with make_client(server) as service:
        rest = service.create_rest_client()
        cancelled = rest.list_training_runs()
        assert comes_true(lambda: bool(server.calls("get_client_config")))
        assert cancelled.cancel()
        time.sleep(0.5)
        rest.list_training_runs().result(10)
        gc.collect()
    assert len(server.calls("get_client_config")) == 2
    assert "never retrieved" not in caplog.text


def test_unreachable_server_is_reported_for_the_operation_of_the_user() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", httpx.ConnectError("refused"))
    with (
        make_client(server, retry_window=1, clock=SimulatedTime().clock) as service,
        pytest.raises(tinker.APIConnectionError) as caught,
    ):
        service.get_server_capabilities()
    assert caught.value.operation == "get_server_capabilities"
    assert caught.value.attempts is not None
    assert caught.value.attempts > 1


def test_server_limits_apply_unless_configured() -> None:
    server = server_of(
        OF_0_24, sample_max_concurrent_requests=7, fwdbwd_dispatch_bytes_semaphore_size=1000
    )
    with make_client(server) as service, make_client(server, max_samples_in_flight=3) as other:
        for item in (service, other):
            item.get_server_capabilities()
        assert service._core.limits.samples.limit == 7
        assert service._core.limits.training_bytes.limit == 1000
        assert other._core.limits.samples.limit == 3


def test_batch_is_split_by_server_limit_and_first_chunk_sent_last() -> None:
    server = server_of(OF_0_24, fwdbwd_max_chunk_len=2)
    # A flag of 0.25.0, whose servers accept protobuf; this one does not.
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        output = training.forward_backward([datum(n) for n in (1, 2, 3, 4, 5)], "cross_entropy")
        sizes = [
            len(loss_fn_output["logprobs"].data)
            for loss_fn_output in output.result(10).loss_fn_outputs
        ]
        training.optim_step(tinker.AdamParams()).result(10)
        assert service.server_protocol.training_body == "json"
    assert sizes == [1, 2, 3, 4, 5]
    accepted = [
        call for call in server.calls("forward_backward") if not isinstance(call.body, bytes)
    ]
    seq_ids = [item.body["seq_id"] for item in accepted]
    assert sorted(seq_ids) == [1, 2, 3]
    assert seq_ids[-1] == 1
    assert server.calls("optim_step")[0].body["seq_id"] == 4
    assert server.conflicts == []


def test_chunks_are_sent_sequentially_if_the_flag_requires_it() -> None:
    server = server_of(OF_0_24, parallel_fwdbwd_chunks=False)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([datum()] * 1025, "cross_entropy").result(30)
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [1, 2]


def test_rejected_chunk_consumes_no_seq_id() -> None:
    server = server_of(OF_0_24)
    server.respond("forward_backward", Reply(400, {"detail": "a bad datum"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        failing = training.forward_backward([datum()] * 1025, "cross_entropy")
        step = training.optim_step(tinker.AdamParams())
        with pytest.raises(tinker.BadRequestError):
            failing.result(30)
        step.result(10)
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [2]
    assert server.calls("optim_step")[0].body["seq_id"] == 1


def test_sequence_conflict_makes_chunks_sequential() -> None:
    server = server_of(OF_0_24)
    early = "Sequence conflict: expected 1, got 2."
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        failed = server.submitted(
            {"error": early, "category": "user_error", "type": "request_failed"}
        )
        server.respond("forward_backward", failed)
        with pytest.raises(tinker.RequestFailedError):
            training.forward_backward([datum()] * 1025, "cross_entropy").result(30)
        training.forward_backward([datum()] * 1025, "cross_entropy").result(30)
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [2, 1, 1, 2]


def test_large_result_is_announced_and_fetched_whole() -> None:
    server = server_of(OF_0_24)
    size = {"status": "complete_metadata", "response_payload_size": 10}
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", Reply(200, size))
        training.forward_backward([datum()], "cross_entropy").result(10)
    allowed = [call.body["allow_metadata_only"] for call in server.calls("retrieve_future")[-2:]]
    assert allowed == [True, False]


def test_images_have_the_fields_the_server_accepts() -> None:
    sized = tinker.ImageChunk(data=b"x", format="png", height=4, width=6, tokens=9)
    bare = tinker.ImageChunk(data=b"x", format="png", expected_tokens=9)
    params = tinker.SamplingParams(max_tokens=1)
    images = []
    for server in (FakeServer(), server_of(OF_0_24)):
        with make_client(server) as service:
            sampler = service.create_sampling_client(base_model="fake/model")
            sampler.sample(tinker.ModelInput(chunks=[sized]), 1, params).result(10)
            if service.server_protocol.images == "expected_tokens":
                sampler.sample(tinker.ModelInput(chunks=[bare]), 1, params).result(10)
            else:
                with pytest.raises(tinker.InvalidInputError, match="height, width"):
                    sampler.sample(tinker.ModelInput(chunks=[bare]), 1, params)
        images += [call.body["prompt"]["chunks"][0] for call in server.calls("asample")]
    same = {"data": "eA==", "format": "png", "type": "image"}
    assert images == [
        {**same, "height": 4, "width": 6, "tokens": 9},
        {**same, "expected_tokens": 9},
        {**same, "expected_tokens": 9},
    ]


def test_rejected_image_sizes_are_resent_as_expected_tokens_with_same_seq_id() -> None:
    server = FakeServer()
    server.respond("asample", rejection("extra_forbidden", "prompt", "chunks", "0", "height"))
    sized = tinker.ImageChunk(data=b"x", format="png", height=4, width=6, tokens=9)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        prompt = tinker.ModelInput(chunks=[sized])
        sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(10)
        assert service.server_protocol.images_of("asample") == "expected_tokens"
        assert service.server_protocol.images_of("forward_backward") == "sizes"
    first, second = server.calls("asample")
    assert first.body["seq_id"] == second.body["seq_id"]
    assert "height" not in second.body["prompt"]["chunks"][0]
    assert first.headers["x-idempotency-key"] == second.headers["x-idempotency-key"]


def test_rejected_default_field_is_omitted() -> None:
    server = FakeServer()
    server.respond("create_model", rejection("extra_forbidden", "type"))
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
        service.create_lora_training_client("fake/model")
    first, again, second = server.calls("create_model")
    assert "type" in first.body
    assert "type" not in again.body
    assert again.body["model_seq_id"] == first.body["model_seq_id"]
    assert "type" not in second.body


def test_rejected_field_with_a_value_raises() -> None:
    server = FakeServer()
    server.respond_always("asample", rejection("extra_forbidden", "topk_sample_logprobs"))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.UnprocessableEntityError, match="topk_sample_logprobs"):
            sampler.sample(PROMPT, 1, PARAMS, topk_sample_logprobs=2).result(10)
    assert all(call.body["topk_sample_logprobs"] == 2 for call in server.calls("asample"))


@pytest.mark.parametrize("key", ["in result", "derived"])
def test_resume_creates_a_model_with_one_request(key: str) -> None:
    server = server_of(OF_0_38, {})
    result = {"model_id": "run-7"} if key == "in result" else {"path": "tinker://run-1/weights/a"}
    server.respond("load_weights", server.submitted(result))
    with make_client(server) as service:
        training = service.create_training_client_from_state(
            "tinker://run-1/weights/a", user_metadata={"a": "b"}
        )
        assert training.model_id == ("run-7" if key == "in result" else "session-1:train:0")
    [loaded] = server.calls("load_weights")
    assert loaded.body == {
        "path": "tinker://run-1/weights/a",
        "session_id": "session-1",
        "model_seq_id": 0,
        "optimizer": True,
        "user_metadata": {"a": "b"},
        "type": "load_weights",
    }
    assert server.calls("create_model") == []


def test_resume_creates_and_loads_if_the_server_requires_it() -> None:
    server = server_of(OF_0_38, {})
    server.respond("load_weights", rejection("missing", "model_id"))
    with make_client(server) as service:
        service.create_training_client_from_state("tinker://run-1/weights/a")
        assert not service.server_protocol.loads_into_new_model
    [created] = server.calls("create_model")
    assert created.body["model_seq_id"] == 0
    assert len(server.calls("get_weights_info")) == 1
    assert server.calls("load_weights")[1].body["model_id"] == "session-1:train:0"


def test_failed_load_of_a_resume_unloads_the_new_model() -> None:
    """The server may keep few models, and the caller has no client of this one."""
    server = server_of(OF_0_24)
    server.respond("load_weights", Reply(404, {"detail": "no checkpoint a"}))
    with make_client(server) as service:
        with pytest.raises(tinker.NotFoundError, match="no checkpoint a"):
            service.create_training_client_from_state("tinker://run-1/weights/a")
        service.create_training_client_from_state("tinker://run-1/weights/a")
    [unloaded] = server.calls("unload_model")
    assert unloaded.body["model_id"] == "session-1:train:0"
    assert server.calls("load_weights")[1].body["model_id"] == "session-1:train:1"


def test_resume_reads_the_run_if_weights_info_is_missing() -> None:
    server = server_of(OF_0_24)
    server.respond_always("get_weights_info", NOT_FOUND)
    with make_client(server) as service:
        for _ in range(2):
            service.create_training_client_from_state("tinker://run-1/weights/a")
        assert not service.server_protocol.supports("get_weights_info")
    assert len(server.calls("get_weights_info")) == 1
    assert len(server.calls("get_training_run")) == 2


def test_weights_info_of_a_missing_path_does_not_disable_the_operation() -> None:
    """The server has no training runs, and reports a missing path like a missing operation."""
    server = server_of(OF_0_24)
    server.respond_always("get_training_run", NOT_FOUND)
    server.respond("get_weights_info", NOT_FOUND)
    with make_client(server) as service:
        with pytest.raises(tinker.NotFoundError):
            service.create_training_client_from_state("tinker://run-1/weights/missing")
        service.create_training_client_from_state("tinker://run-1/weights/a")
        assert service.server_protocol.supports("get_weights_info")
    assert len(server.calls("get_weights_info")) == 2


def test_missing_weights_are_not_taken_for_a_missing_operation() -> None:
    server = server_of(OF_0_24)
    server.respond_always("get_weights_info", Reply(404, {"detail": "no such weights"}))
    with make_client(server) as service, pytest.raises(tinker.NotFoundError, match="no such"):
        service.create_training_client_from_state("tinker://run-1/weights/a")


class OnPurposeError(Exception):
    pass


def _end_with(error: BaseException, server: FakeServer) -> None:
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
        raise error


def test_close_sends_finish_session_with_reason() -> None:
    server = server_of(OF_0_32, {})
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
    service = make_client(server)
    service.create_lora_training_client("fake/model")
    assert service.close("errored", "out of ideas").result() is None
    service.close("success")
    for error in (OnPurposeError("with a key: tml-test"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            _end_with(error, server)
    assert [call.body for call in server.calls("finish_session")] == [
        {"reason": {"type": "success"}, "detail": None},
        {"reason": {"type": "errored"}, "detail": "out of ideas"},
        {"reason": {"type": "errored"}, "detail": "OnPurposeError"},
        {"reason": {"type": "interrupted"}, "detail": "KeyboardInterrupt"},
    ]


def test_finish_session_is_not_sent_to_old_servers_or_without_a_session() -> None:
    old, rest_only = server_of(OF_0_24), server_of(OF_0_38, {})
    with make_client(old) as service:
        service.create_lora_training_client("fake/model")
    with make_client(rest_only) as service:
        service.get_server_capabilities()
    assert old.calls("finish_session") == rest_only.calls("finish_session") == []


def test_failed_finish_session_is_ignored() -> None:
    server = server_of(OF_0_32, {})
    server.respond_always("finish_session", Reply(500))
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
    assert len(server.calls("finish_session")) == 1


def test_deprecation_notes_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    note = {"x-deprecation-note": "use another, tml-test"}
    prefix = "get_server_capabilities: deprecation note from the server"
    server.respond(
        "get_server_capabilities",
        Reply(200, {"supported_models": []}, note),
        Reply(200, {"supported_models": []}, note),
        Reply(
            200,
            {"supported_models": []},
            {"x-deprecation-note": "gone soon", "x-deprecation-level": "error"},
        ),
    )
    with make_client(server) as service:
        for _ in range(3):
            service.get_server_capabilities()
    records = [record for record in caplog.records if "deprecation note" in record.message]
    notes = [(record.levelname, record.message.split(" [")[0]) for record in records]
    assert notes == [
        ("WARNING", f"{prefix}: use another, ***"),
        ("ERROR", f"{prefix}: gone soon"),
    ]


class SilentServer(httpx.AsyncBaseTransport):
    """Accepts requests and never responds."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")


@pytest.mark.parametrize("window", [0.3, 1.0])
def test_server_that_never_responds_is_reported_and_given_up_after_the_window(
    window: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(negotiation, "REPORT_AFTER", 0.2)
    with (
        caplog.at_level(logging.WARNING, "tinker_ext"),
        make_client(SilentServer(), retry_window=window) as service,
        pytest.raises(tinker.APITimeoutError, match=rf"not responded in {window:g} s") as caught,
    ):
        service.create_lora_training_client("fake/model")
    assert caught.value.operation == "create_session"
    assert [record.message for record in caplog.records if "not responded" in record.message] == [
        f"create_session: the server has not responded in 0 s; waiting for up to {window:.0f} s"
    ]


def test_slow_request_to_a_server_that_has_responded_is_not_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negotiation, "REPORT_AFTER", 0.1)
    server = server_of(OF_0_24)
    server.respond("create_session", Reply(200, {"session_id": "session-1"}, delay=0.6))
    with make_client(server, retry_window=0.3) as service:
        service.create_lora_training_client("fake/model")
    assert len(server.calls("create_session")) == 1
