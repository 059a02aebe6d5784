"""Pauses, deadlines, queue states and lost sessions."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
from tinker_api import models

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.runtime.retrying import Pause, PausedError
from tinker_ext.runtime.session import Session
from tinker_ext.testing import FakeServer, FaultServer, Reply, SimulatedTime, faults, make_client
from tinker_ext.timeouts import Clock
from tinker_ext.transport import operations

WAITING = {"type": "try_again", "request_id": "x", "queue_state": "active"}


class ManualTime:
    """A clock that advances only when a task sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.clock = Clock(now=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5)

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)


async def test_short_pause_has_a_short_restart() -> None:
    pause, started = Pause(), Counter[int]()
    pause.extend(0.2, 429)
    began = time.monotonic()

    async def wait() -> None:
        await pause.wait(60)
        started[int((time.monotonic() - began) / 0.2)] += 1

    await asyncio.gather(*[wait() for _ in range(400)])
    assert started[0] == 0
    assert started.total() == 400
    assert time.monotonic() - began < 5, "not ten seconds after a pause of 0.2 s"


async def test_traffic_ramps_up_after_a_long_pause() -> None:
    fake_time = ManualTime()
    pause = Pause(fake_time.clock)
    pause.extend(60.0, 429)
    ended = fake_time.now + 60
    starts = [await _started_at(pause, fake_time, ended - 60) for _ in range(12)]
    assert starts[:10] == [60.0] * 10
    assert 60.0 < starts[10] < starts[11] < 70.0


async def _started_at(pause: Pause, fake_time: ManualTime, begin: float) -> float:
    """When a request that was sent at the beginning may start, measured on its own clock."""
    fake_time.now = begin
    await pause.wait(100)
    return fake_time.now - begin


async def test_pause_longer_than_timeout_raises_at_once() -> None:
    fake_time = ManualTime()
    pause = Pause(fake_time.clock)
    pause.extend(60.0, 429)
    with pytest.raises(PausedError) as caught:
        await pause.wait(59.0)
    assert (caught.value.left, fake_time.now) == (60.0, 1000.0)


def test_shared_pause_longer_than_retry_window_raises_rate_limit_error() -> None:
    server = FakeServer()
    server.respond("asample", Reply(429, None, {"Retry-After": "100"}))
    with (
        make_client(server, api_key="tml-paused") as long_window,
        make_client(server, api_key="tml-paused", retry_window=5) as short_window,
    ):
        first = long_window.create_sampling_client(base_model="fake/model")
        second = short_window.create_sampling_client(base_model="fake/model")
        waiting = first.sample(PROMPT, 1, PARAMS)
        assert comes_true(lambda: bool(server.calls("asample")))
        time.sleep(0.1)
        started = time.monotonic()
        with pytest.raises(
            tinker.RateLimitError, match="not sent: the server has paused"
        ) as caught:
            second.sample(PROMPT, 1, PARAMS).result(30)
        assert time.monotonic() - started < 4
        assert 90 < (caught.value.retry_after or 0) <= 100
        assert (caught.value.attempts, caught.value.operation) == (0, "asample")
        assert "does not fit in" in (caught.value.reason or "")
        waiting.cancel()
    assert len(server.calls("asample")) == 1


def test_402_pauses_requests_and_logs_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake_time = ManualTime()
    server = FakeServer()
    server.respond("asample", *[Reply(402, {"detail": "add funds"})] * 3)
    with (
        make_client(server, clock=fake_time.clock) as service,
        caplog.at_level(logging.WARNING, "tinker_ext"),
    ):
        sampler = service.create_sampling_client(base_model="fake/model")
        assert sampler.sample(PROMPT, 1, PARAMS).result(30).sequences
    assert fake_time.now - 1000 >= 15, "a pause of five seconds each time"
    [message] = [
        record.message for record in caplog.records if "payment required" in record.message
    ]
    assert "add funds" in message


def test_402_is_retried_for_one_hour() -> None:
    fake_time = ManualTime()
    server = FakeServer()
    server.respond("asample", *[Reply(402)] * 2000)
    with make_client(server, clock=fake_time.clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.BillingError, match="3600 s has passed"):
            sampler.sample(PROMPT, 1, PARAMS).result(60)
    assert 3590 < fake_time.now - 1000 < 3700


def test_deadline_cancels_call_and_reports_last_seen() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", *[Reply(200, WAITING)] * 1000)
        with tinker.deadline(60), tinker.deadline(0.3):
            step = training.optim_step(tinker.AdamParams())
        with pytest.raises(tinker.DeadlineExceededError) as caught:
            step.result(30)
        error = caught.value
        assert (error.operation, error.request_id) == ("optim_step", "request-2")
        assert (error.deadline, error.last_seen) == (0.3, "queue state active")
        server._scripted.clear()
        training.optim_step(tinker.AdamParams()).result(30)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, "5", None, 1j, 10**400])
def test_deadline_that_is_not_a_number_above_zero_raises(seconds: Any) -> None:
    with pytest.raises(tinker.InvalidInputError, match="seconds: "), tinker.deadline(seconds):
        pass


@pytest.mark.parametrize("poll", [faults.silent(), faults.endless()], ids=["hangs", "trickles"])
@pytest.mark.parametrize("limit", ["future_timeout", "deadline", "result"])
def test_time_limit_ends_a_poll_that_hangs_or_trickles(
    poll: faults.Fault, limit: str, http_transport: str
) -> None:
    config: dict[str, Any] = {"future_timeout": 0.5} if limit == "future_timeout" else {}
    with (
        FaultServer() as server,
        make_client(base_url=server.url, http_transport=http_transport, **config) as service,
    ):
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond("retrieve_future", Reply(200, WAITING), poll)
        started = time.monotonic()
        with tinker.deadline(0.5) if limit == "deadline" else nullcontext():
            future = sampler.sample(PROMPT, 1, PARAMS)
        with pytest.raises(tinker.DeadlineExceededError) as caught:
            future.result(0.5 if limit == "result" else 15)
        assert time.monotonic() - started < 10, "a poll may take 45 s"
        future.cancel()
    assert caught.value.deadline == 0.5
    assert caught.value.last_seen == "queue state active"


def test_deadline_includes_pauses_and_does_not_cancel_shared_work() -> None:
    server = FakeServer()
    server.respond("create_session", Reply(429, None, {"Retry-After": "1"}))
    with make_client(server, api_key="tml-block") as service:
        with tinker.deadline(0.3), pytest.raises(tinker.DeadlineExceededError):
            service.create_sampling_client(base_model="fake/model")
        # The session that the block requested first is shared by all calls.
        service.create_sampling_client(base_model="fake/model")
    assert len(server.calls("create_session")) == 2


def test_result_timeout_reports_request_id_and_last_seen() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", *[Reply(408, {"queue_state": "paused_capacity"})] * 1000)
        step = training.optim_step(tinker.AdamParams())
        with pytest.raises(TimeoutError) as caught:
            step.map(str).result(timeout=0.5)
        assert isinstance(caught.value, tinker.DeadlineExceededError)
        assert caught.value.request_id == "request-2"
        assert caught.value.last_seen == "queue state paused_capacity"
        server._scripted.clear()
        assert step.result(30).metrics == {}


class Observers:
    """Both observers. Their exceptions must have no effect."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str | None]] = []
        self.lost: list[tinker.SessionLostError] = []
        self.notified = threading.Event()

    def on_queue_state_change(self, queue_state: tinker.QueueState, reason: str | None) -> None:
        self.states.append((queue_state.value, reason))
        raise RuntimeError("a bug in user code")

    def on_session_lost(self, error: tinker.SessionLostError) -> None:
        self.lost.append(error)
        self.notified.set()
        raise RuntimeError("a bug in user code")


def test_queue_state_observer_is_notified_of_each_change_and_the_end() -> None:
    server, observers = FakeServer(), Observers()
    paused = {**WAITING, "queue_state": "paused_capacity", "queue_state_reason": "full"}
    with make_client(server, queue_state_observer=observers) as service:
        training = service.create_lora_training_client("fake/model")
        responses = [paused, paused, WAITING, {**WAITING, "queue_state": "from the future"}]
        server.respond("retrieve_future", *[Reply(200, response) for response in responses])
        training.optim_step(tinker.AdamParams()).result(30)
    assert observers.states == [
        ("paused_capacity", "full"),
        ("active", None),
        ("unknown", None),
        ("active", None),
    ]


async def test_failing_heartbeats_are_reported_until_one_succeeds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    responses: list[Exception | None] = [ConnectionError("down")] * 3
    observers = Observers()

    async def create() -> str:
        return "session-1"

    async def beat(session_id: str) -> None:
        response = responses.pop(0) if responses else ConnectionError("down")
        if response is not None:
            raise response

    session = Session(create, beat, interval=0.02, lost_after=0.1, observer=observers)
    assert await session.id() == "session-1"
    with caplog.at_level(logging.ERROR, "tinker_ext"):
        await asyncio.wait_for(asyncio.to_thread(observers.notified.wait), 10)
    for _ in range(2):
        with pytest.raises(tinker.SessionLostError, match="no heartbeat") as caught:
            await session.id()
    assert caught.value.session_id == "session-1"
    assert (caught.value.silent_for or 0) > 0.1
    assert len(observers.lost) == 1
    assert any("no heartbeat has reached" in record.message for record in caplog.records)
    responses[:] = [None] * 1000
    await asyncio.wait_for(_alive_again(session), 10)
    await session.close()


class FailingSession:
    """A session whose heartbeats all fail, in simulated time."""

    def __init__(self) -> None:
        self.time = SimulatedTime()
        self.observers = Observers()
        self.beats_until_lost = 0
        clock = self.time.clock
        self.session = Session(self._create, self._beat, observer=self.observers, clock=clock)

    async def _create(self) -> str:
        return "session-1"

    async def _beat(self, session_id: str) -> None:
        self.beats_until_lost += not self.observers.lost
        raise ConnectionError("down")

    async def close_when_lost(self) -> None:
        await asyncio.wait_for(asyncio.to_thread(self.observers.notified.wait), 30)
        await self.session.close()


async def test_session_counts_as_lost_after_two_minutes_without_heartbeat() -> None:
    failing = FailingSession()
    await failing.session.id()
    await failing.close_when_lost()
    assert failing.beats_until_lost in (12, 13), "a heartbeat every ten seconds"
    assert 120 < (failing.observers.lost[0].silent_for or 0) < 140


async def test_suspended_time_does_not_count_as_failing_heartbeats() -> None:
    failing = FailingSession()
    await failing.session.id()
    failing.time.suspend(1000)
    assert failing.session.is_alive
    await failing.close_when_lost()
    assert failing.beats_until_lost in (12, 13), "as many as without the suspension"
    assert 1120 < (failing.observers.lost[0].silent_for or 0) < 1140


async def _alive_again(session: Session) -> None:
    for _ in range(1000):
        try:
            await session.id()
            return
        except tinker.SessionLostError:
            await asyncio.sleep(0.01)
    raise AssertionError("the session did not recover")


def test_calls_of_a_lost_session_raise_session_lost_error() -> None:
    server, observers = FakeServer(), Observers()
    with make_client(server, heartbeat_interval=0.02, session_observer=observers) as service:
        training = service.create_lora_training_client("fake/model")
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond("session_heartbeat", Reply(410, {"detail": "expired"}))
        assert observers.notified.wait(30)
        for future in (
            training.optim_step(tinker.AdamParams()),
            sampler.sample(PROMPT, 1, PARAMS),
        ):
            with pytest.raises(tinker.SessionLostError, match="expired"):
                future.result(30)
        service.get_server_capabilities()  # Calls without a session still work.
    assert not server.calls("optim_step")


def test_result_with_announced_size_is_fetched_within_the_budget() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        budget = training._core.limits.result_bytes
        held: list[int] = []

        def complete(_: Any) -> Reply:
            held.append(budget.used)
            return Reply(200, {"metrics": {"a:mean": 1.0}})

        announced = {"status": "complete_metadata", "response_payload_size": 1000}
        server.respond("retrieve_future", Reply(200, announced), Reply(200, announced), complete)
        assert training.optim_step(tinker.AdamParams()).result(30).metrics == {"a:mean": 1.0}
        assert held == [1000]
        assert budget.used == 0


def test_operation_marked_never_is_not_retried() -> None:
    server = FakeServer()
    with make_client(server) as service:
        core = service._core
        server.respond("session_heartbeat", Reply(503))
        body = models.SessionHeartbeatRequest(session_id="s")
        beat = core.call(operations.session_heartbeat(body=body))
        with pytest.raises(tinker.InternalServerError, match="never repeated"):
            core.start(beat, lambda _: None).result(30)
    assert len(server.calls("session_heartbeat")) == 1
