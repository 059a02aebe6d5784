"""Retries, pauses and polling against an in-memory server."""

from __future__ import annotations

import itertools
import logging
import time

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client
from tinker_ext.timeouts import Suspension


def test_retried_sample_keeps_seq_id_and_idempotency_key() -> None:
    server = FakeServer()
    server.respond("asample", Reply(503), httpx.ReadError("gone"))
    with make_client(server, clock=SimulatedTime().clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        response = sampler.sample(PROMPT, 2, PARAMS).result(30)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(response.sequences) == 2
    calls = server.calls("asample")
    assert [call.body["seq_id"] for call in calls] == [0, 0, 0, 1]
    keys = [call.headers["x-idempotency-key"] for call in calls]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]
    assert calls[0].headers["x-tinker-sampling-backpressure"] == "1"


def test_suspension_longer_than_window_is_followed_by_another_attempt() -> None:
    server, time = FakeServer(), SimulatedTime()

    def suspend(_: object) -> Reply:
        time.suspend(1000)
        raise httpx.ReadError("reset while asleep")

    server.respond("asample", Reply(503), suspend, Reply(503), suspend)
    with make_client(server, clock=time.clock, retry_window=60) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(server.calls("asample")) == 5


def test_suspension_after_end_of_window_is_followed_by_one_attempt() -> None:
    server, time = FakeServer(), SimulatedTime()

    def suspend(_: object) -> Reply:
        time.pass_by(61)
        time.suspend(1000)
        raise httpx.ReadError("reset while asleep")

    server.respond("asample", suspend, *[Reply(503)] * 5)
    with make_client(server, clock=time.clock, retry_window=60) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.InternalServerError) as caught:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert caught.value.attempts == len(server.calls("asample")) == 2
    assert 1061 <= (caught.value.elapsed or 0) < 1063, "elapsed includes the suspension"


@pytest.mark.parametrize(
    ("ticks", "suspended"),
    [
        ([], 0.0),
        ([0.0, 1.0, 2.0], 0.0),
        ([0.0, 1.5, 3.25], 0.0),
        ([0.0, 1.0, 61.0], 58.0),
        ([0.0, 61.0, 62.0, 122.0], 117.0),
    ],
)
def test_late_ticks_count_as_suspended_time(ticks: list[float], suspended: float) -> None:
    now = [0.0]
    measured = Suspension(lambda: now[0])
    for now[0] in ticks:
        measured.tick()
    assert measured.seconds() == suspended
    now[0] += 2.0
    assert measured.seconds() == suspended, "not late yet"
    now[0] += 30.0
    assert measured.seconds() == (suspended + 30.0 if ticks else 0.0), "even before the next tick"


def test_retry_after_header_sets_the_delay() -> None:
    server = FakeServer()
    server.respond("asample", Reply(429, {"detail": "slow down"}, {"Retry-After": "0.4"}))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        started = time.monotonic()
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert 0.4 <= time.monotonic() - started < 2.0


def test_429_pauses_all_clients_with_the_same_key_only() -> None:
    server = FakeServer()
    server.respond("asample", Reply(429, None, {"Retry-After": "2"}))
    with (
        make_client(server, api_key="tml-shared") as first,
        make_client(server, api_key="tml-shared") as second,
        make_client(server, api_key="tml-other") as other,
    ):
        samplers = [
            client.create_sampling_client(base_model="fake/model")
            for client in (first, second, other)
        ]
        started = time.monotonic()
        limited = samplers[0].sample(PROMPT, 1, PARAMS)
        assert comes_true(lambda: bool(server.calls("asample")))
        time.sleep(0.05)
        paused, free = samplers[1].sample(PROMPT, 1, PARAMS), samplers[2].sample(PROMPT, 1, PARAMS)
        free.result(30)
        assert not paused.done()
        paused.result(30)
        assert time.monotonic() - started >= 2
        limited.result(30)


def test_connection_error_contains_the_last_response() -> None:
    server = FakeServer()
    server.respond("asample", Reply(500, "oops"), *[httpx.ReadError("gone")] * 40)
    with make_client(server, clock=SimulatedTime().clock, retry_window=10.0) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.APIConnectionError) as caught:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert caught.value.previous_response == "HTTP 500 Internal Server Error: oops"
    assert "previous response: HTTP 500" in str(caught.value)


def test_long_outage_logs_a_warning_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer()
    server.respond("asample", *[httpx.ConnectError("refused")] * 40)
    with (
        caplog.at_level(logging.WARNING, "tinker_ext"),
        make_client(server, clock=SimulatedTime().clock, retry_window=40.0) as service,
    ):
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.APIConnectionError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    [message] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith("asample: no success in ")
    assert "ConnectError: refused (http://fake.invalid)" in message


def test_short_outage_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    server.respond("asample", httpx.ConnectError("refused"), Reply(503))
    with (
        caplog.at_level(logging.WARNING, "tinker_ext"),
        make_client(server, clock=SimulatedTime().clock) as service,
    ):
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert not caplog.records


def test_retry_after_longer_than_window_raises_at_once_with_retry_after() -> None:
    server = FakeServer()
    server.respond("asample", Reply(429, None, {"Retry-After": "1000"}))
    with make_client(server, retry_window=5) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.RateLimitError) as caught:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert caught.value.retry_after == 1000
    assert caught.value.attempts == 1


def test_x_should_retry_overrides_status_code() -> None:
    server = FakeServer()
    server.respond("get_info", Reply(503, None, {"x-should-retry": "false"}))
    server.respond("asample", Reply(400, None, {"x-should-retry": "true", "retry-after-ms": "1"}))
    with make_client(server) as service:
        with pytest.raises(tinker.InternalServerError):
            service.create_lora_training_client("fake/model").get_info()
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(server.calls("get_info")) == 1
    assert len(server.calls("asample")) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, tinker.BadRequestError),
        (401, tinker.AuthenticationError),
        (403, tinker.PermissionDeniedError),
        (404, tinker.NotFoundError),
        (422, tinker.UnprocessableEntityError),
    ],
)
def test_4xx_is_not_retried(status: int, error: type[tinker.TinkerError]) -> None:
    server = FakeServer()
    server.respond("create_sampling_session", Reply(status, {"detail": "because"}))
    with (
        make_client(server) as service,
        pytest.raises(error, match="because"),
    ):
        service.create_sampling_client(base_model="fake/model")
    assert len(server.calls("create_sampling_session")) == 1


def test_410_resends_sample_but_not_optim_step() -> None:
    server = FakeServer()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", Reply(410, {"detail": "gone"}))
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 2
        server.respond("retrieve_future", Reply(410, {"detail": "gone"}))
        with pytest.raises(tinker.GoneError):
            training.optim_step(tinker.AdamParams()).result(30)
    assert len(server.calls("optim_step")) == 1


def test_polling_continues_after_transient_errors_and_logs_queue_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer()
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "paused_capacity"}
    with make_client(server, clock=SimulatedTime().clock) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond(
            "retrieve_future",
            Reply(200, waiting),
            Reply(408, {"detail": "Timeout waiting for result"}),
            Reply(429, None, {"Retry-After": "0.05"}),
            Reply(502, "<html>bad gateway</html>"),
            httpx.ReadTimeout("slow"),
            Reply(200, "{"),
        )
        with caplog.at_level(logging.WARNING, "tinker_ext"):
            training.optim_step(tinker.AdamParams()).result(60)
    assert [record.message for record in caplog.records if "waiting" in record.message] == [
        "optim_step is waiting: the service is out of capacity [request-2]"
    ]


@pytest.mark.parametrize(("suspended", "polls"), [(False, 2), (True, 7)])
def test_malformed_polls_end_with_the_retry_window_without_suspensions(
    suspended: bool, polls: int
) -> None:
    server, time = FakeServer(), SimulatedTime()

    def malformed(_: object) -> Reply:
        (time.suspend if suspended else time.pass_by)(200)
        return Reply(200, [])

    with make_client(server, clock=time.clock, retry_window=100) as service:
        training = service.create_lora_training_client("fake/model")
        before = len(server.calls("retrieve_future"))
        server.respond("retrieve_future", *[malformed] * 7)
        with pytest.raises(tinker.APIResponseValidationError, match="JSON object"):
            training.optim_step(tinker.AdamParams()).result(30)
    assert len(server.calls("retrieve_future")) - before == polls


def test_polling_that_keeps_failing_raises_last_error() -> None:
    server = FakeServer()
    with make_client(server, clock=SimulatedTime().clock, retry_window=0.5) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", *[Reply(500, "Internal Server Error")] * 100)
        with pytest.raises(tinker.InternalServerError) as caught:
            training.optim_step(tinker.AdamParams()).result(30)
    assert caught.value.request_id == "request-2"
    assert caught.value.operation == "optim_step"


def test_future_timeout_bounds_the_wait() -> None:
    server = FakeServer()
    with make_client(server, future_timeout=0.5) as service:
        training = service.create_lora_training_client("fake/model")
        waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
        server.respond("retrieve_future", *[Reply(200, waiting)] * 100)
        with pytest.raises(tinker.DeadlineExceededError, match="queue state active"):
            training.optim_step(tinker.AdamParams()).result(30)


def test_any_2xx_status_is_a_success() -> None:
    server = FakeServer()
    server.respond("create_session", Reply(201, {"session_id": "s"}))
    server.results["x"] = {"sequences": [{"stop_reason": "stop", "tokens": []}]}
    server.respond("asample", Reply(202, {"request_id": "x", "status": "pending"}))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        [sequence] = sampler.sample(PROMPT, 1, PARAMS).result(30).sequences
    assert sequence.tokens == []


def test_response_of_unexpected_shape_raises_validation_error() -> None:
    server = FakeServer()
    server.respond("create_session", Reply(200, {"unexpected": 1}))
    with make_client(server) as service:
        with pytest.raises(tinker.APIResponseValidationError):
            service.create_sampling_client(base_model="fake/model")
        service.create_sampling_client(base_model="fake/model")


def test_malformed_success_is_retried_with_same_seq_id_up_to_the_limit() -> None:
    server = FakeServer()
    server.respond("optim_step", Reply(200, "<html></html>"), Reply(200, '{"request_'))
    with make_client(server, clock=SimulatedTime().clock) as service:
        training = service.create_lora_training_client("fake/model")
        training.optim_step(tinker.AdamParams()).result(30)
        server.respond("get_info", *[Reply(200, "<html></html>")] * 7)
        with pytest.raises(
            tinker.APIResponseValidationError, match="the limit of 7 attempts is reached"
        ):
            training.get_info()
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [1, 1, 1]


def test_malformed_limit_counts_only_consecutive_responses() -> None:
    server = FakeServer()
    malformed, busy = Reply(200, "{"), Reply(503)
    server.respond("asample", *[busy, malformed] * 8)
    with make_client(server, clock=SimulatedTime().clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(server.calls("asample")) == 17


def test_read_stops_after_ten_identical_immediate_500s() -> None:
    server, time_ = FakeServer(), SimulatedTime()
    server.respond_always("get_training_run", Reply(500, "Internal Server Error"))
    with (
        make_client(server, clock=time_.clock) as service,
        pytest.raises(tinker.InternalServerError, match="10 identical responses") as caught,
    ):
        service.create_rest_client().get_training_run("run-1").result(10)
    assert len(server.calls("get_training_run")) == caught.value.attempts == 10
    assert time_.passed < 60


def test_read_with_different_500s_uses_its_window() -> None:
    server = FakeServer()
    numbers = itertools.count()
    server.respond_always("get_training_run", lambda _: Reply(500, f"trace {next(numbers)}"))
    with (
        make_client(server, clock=SimulatedTime().clock, retry_window=100) as service,
        pytest.raises(tinker.InternalServerError, match="window") as caught,
    ):
        service.create_rest_client().get_training_run("run-1").result(10)
    assert caught.value.elapsed is not None
    assert caught.value.elapsed >= 100
    assert "were the same" not in str(caught.value)


def test_submission_with_identical_500s_uses_its_window_and_says_so() -> None:
    server = FakeServer()
    with make_client(server, clock=SimulatedTime().clock, retry_window=100) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond_always("optim_step", Reply(500, "Internal Server Error"))
        with pytest.raises(tinker.InternalServerError, match="responses were the same") as caught:
            training.optim_step(tinker.AdamParams()).result(10)
    assert caught.value.elapsed is not None
    assert caught.value.elapsed >= 100
