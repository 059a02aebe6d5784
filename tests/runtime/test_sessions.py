"""Creating and closing sessions."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

import tinker_ext as tinker
from tests.builders import datum
from tests.waiting import comes_true
from tinker_ext.runtime.session import Session
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.timeouts import Clock


def test_session_is_created_once_on_first_use_and_sends_heartbeats() -> None:
    server = FakeServer()
    with make_client(server, heartbeat_interval=0.05, tags=["a", "b"]) as service:
        service.create_rest_client()
        service.get_server_capabilities()
        assert not server.calls("create_session")
        threads = [
            threading.Thread(target=service.create_lora_training_client, args=("fake/model",))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert comes_true(lambda: len(server.calls("session_heartbeat")) >= 2)
    assert [call.body["tags"] for call in server.calls("create_session")] == [["a", "b"]]
    assert sorted(call.body["model_seq_id"] for call in server.calls("create_model")) == [
        0,
        1,
        2,
        3,
        4,
    ]
    stopped_at = len(server.calls("session_heartbeat"))
    time.sleep(0.15)
    assert len(server.calls("session_heartbeat")) == stopped_at


def test_session_messages_of_the_server_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    messages = {"info_message": "hello", "warning_message": "old", "error_message": "broken"}
    server.respond("create_session", Reply(200, {"session_id": "s-1", **messages}))
    with caplog.at_level(logging.INFO, "tinker_ext"), make_client(server) as service:
        service.create_sampling_client(base_model="fake/model")
    logged = {
        (record.levelname, record.message)
        for record in caplog.records
        if record.name == "tinker_ext"
    }
    assert {
        ("INFO", "session s-1: hello"),
        ("WARNING", "session s-1: old"),
        ("ERROR", "session s-1: broken"),
    } <= logged


def test_session_ended_by_the_server_is_logged_and_raises(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    server.respond("session_heartbeat", Reply(410, {"detail": "expired"}))
    with make_client(server, heartbeat_interval=0.02) as service:
        service.create_lora_training_client("fake/model")
        assert comes_true(lambda: "has ended session" in caplog.text)
        with pytest.raises(tinker.SessionLostError, match="expired"):
            service.create_lora_training_client("fake/model")
    assert len(server.calls("session_heartbeat")) == 1


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.0, 9.0, 9.0], [10.0, 20.0, 30.0, 40.0]),
        ([0.0, 15.0, 0.0], [10.0, 20.0, 35.0, 45.0]),
    ],
    ids=["slow", "slower than the interval"],
)
async def test_slow_heartbeat_does_not_delay_the_next_one(
    seconds: list[float], expected: list[float]
) -> None:
    now, started, ended = 0.0, list[float](), asyncio.Event()

    async def create() -> str:
        return "session-1"

    async def beat(session_id: str) -> None:
        nonlocal now
        started.append(now)
        if len(started) > len(seconds):
            ended.set()
            await asyncio.Event().wait()
        now += seconds[len(started) - 1]

    async def sleep(delay: float) -> None:
        nonlocal now
        now += delay
        await asyncio.sleep(0)

    clock = Clock(now=lambda: now, sleep=sleep)
    session = Session(create, beat, clock=clock)
    await session.id()
    await ended.wait()
    await session.close()
    assert started == expected


def test_close_waits_for_pending_requests_then_cancels_the_rest() -> None:
    server = FakeServer()
    service = make_client(server)
    training = service.create_lora_training_client("fake/model")
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.respond("optim_step", Reply(200, {"request_id": "never"}))
    quick = training.forward([datum()], "cross_entropy")
    server.respond("retrieve_future", Reply(200, waiting), delayed(0.1))
    slow = training.optim_step(tinker.AdamParams())
    server.results["never"] = waiting
    service.close(timeout=1.0)
    assert quick.result(0).metrics
    with pytest.raises(tinker.ClientClosedError):
        slow.result(0)
    service.close()
    with pytest.raises(tinker.ClientClosedError):
        training.optim_step(tinker.AdamParams())


def delayed(seconds: float) -> Reply:
    return Reply(408, {"detail": "wait"}, delay=seconds)


def test_error_in_with_block_does_not_wait_for_pending_requests() -> None:
    server = FakeServer()
    server.respond("optim_step", Reply(200, {"request_id": "never"}))
    server.results["never"] = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    service = make_client(server)
    training = service.create_lora_training_client("fake/model")
    training.optim_step(tinker.AdamParams())
    started = time.monotonic()

    def fail() -> None:
        with service:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert time.monotonic() - started < 5


def test_missing_key_error_names_the_variable_and_the_embedded_backend() -> None:
    with pytest.raises(tinker.ConfigurationError) as caught:
        tinker.ServiceClient(base_url="http://127.0.0.1:1")
    assert "TINKER_API_KEY" in str(caught.value)
    assert 'base_url="embedded"' in str(caught.value)
