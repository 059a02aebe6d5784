"""`retry_config` limits and retries the samples of one client."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.clients.retry_config import RetryConfig
from tinker_ext.rules.retry import RetryPolicy
from tinker_ext.testing import FakeServer, Reply, make_client

UNAVAILABLE = Reply(503, {"detail": "busy"})
WAITING = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"}, delay=0.05)


def test_disabled_retries_send_one_request() -> None:
    server = FakeServer()
    server.respond_always("asample", UNAVAILABLE)
    with make_client(server) as service:
        sampler = service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig(enable_retry_logic=False)
        )
        with pytest.raises(tinker.InternalServerError):
            sampler.sample(PROMPT, 1, PARAMS).result(10)
    assert len(server.calls("asample")) == 1


def test_other_clients_keep_their_retries() -> None:
    server = FakeServer()
    server.respond("asample", UNAVAILABLE)
    with make_client(server) as service:
        service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig(enable_retry_logic=False)
        )
        other = service.create_sampling_client(base_model="fake/model")
        assert other.sample(PROMPT, 1, PARAMS).result(10).sequences
    assert len(server.calls("asample")) == 2


def test_retry_delays_come_from_the_config() -> None:
    server = FakeServer()
    server.respond("asample", UNAVAILABLE, UNAVAILABLE, UNAVAILABLE)
    config = RetryConfig(retry_delay_base=0.0, retry_delay_max=0.0)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model", retry_config=config)
        sampler.sample(PROMPT, 1, PARAMS).result(10)
    assert len(server.calls("asample")) == 4


def test_max_connections_limits_samples_in_flight() -> None:
    server = FakeServer()
    released = threading.Event()

    def hold(received: Any) -> Reply:
        if not released.is_set():
            return WAITING
        return server.default_reply(received)

    server.respond_always("retrieve_future", hold)
    with make_client(server) as service:
        sampler = service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig(max_connections=2)
        )
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(5)]
        assert comes_true(lambda: len(server.calls("asample")) == 2)
        time.sleep(0.2)
        assert len(server.calls("asample")) == 2
        released.set()
        assert all(future.result(10).sequences for future in futures)
    assert len(server.calls("asample")) == 5


def test_no_progress_fails_all_samples_of_the_client() -> None:
    server = FakeServer()
    server.respond_always("retrieve_future", WAITING)
    with make_client(server) as service:
        sampler = service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig(progress_timeout=0.3)
        )
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(2)]
        for future in futures:
            with pytest.raises(tinker.APIConnectionError, match="no sample has finished"):
                future.result(10)


def test_progress_of_one_sample_keeps_the_others_alive() -> None:
    server = FakeServer()
    started = time.monotonic()

    def slow(received: Any) -> Reply:
        """Completes one sample after each 3 seconds; a busy machine may add seconds."""
        number = int(received.body["request_id"].rpartition("-")[2])
        due = started + 3.0 * (1 + number % 3)
        return server.default_reply(received) if time.monotonic() > due else WAITING

    server.respond_always("retrieve_future", slow)
    with make_client(server) as service:
        sampler = service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig(progress_timeout=8.0)
        )
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(3)]
        assert all(future.result(60).sequences for future in futures)


def test_disabled_stuck_detection_waits() -> None:
    server = FakeServer()
    server.respond("retrieve_future", *[WAITING] * 8)
    config = RetryConfig(progress_timeout=0.1, enable_stuck_detection=False)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model", retry_config=config)
        assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences


def test_client_settings_still_limit_attempts() -> None:
    server = FakeServer()
    server.respond_always("asample", UNAVAILABLE)
    with make_client(server, max_retries=0) as service:
        sampler = service.create_sampling_client(
            base_model="fake/model", retry_config=RetryConfig()
        )
        with pytest.raises(tinker.InternalServerError):
            sampler.sample(PROMPT, 1, PARAMS).result(10)
    assert len(server.calls("asample")) == 1


def test_config_is_part_of_a_pickled_client() -> None:
    config = RetryConfig(max_connections=7)
    with make_client(FakeServer()) as service:
        sampler = service.create_sampling_client(base_model="fake/model", retry_config=config)
        assert pickle.loads(pickle.dumps(sampler))._retry_config == config


def test_policy_has_the_limits_of_the_config() -> None:
    policy = RetryConfig(progress_timeout=60, retry_delay_base=1, retry_delay_max=4).policy(
        RetryPolicy(max_elapsed=300, max_attempts=9)
    )
    assert (policy.max_elapsed, policy.max_attempts) == (60, 9)
    assert (policy.backoff_base, policy.backoff_cap) == (1, 4)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"max_connections": 0}, "max_connections"),
        ({"progress_timeout": 0}, "progress_timeout"),
        ({"retry_delay_base": -1}, "retry_delay_base"),
        ({"enable_retry_logic": 1}, "enable_retry_logic"),
    ],
)
def test_invalid_value_rejected_with_the_field(arguments: Any, field: str) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        RetryConfig(**arguments)
    assert caught.value.where == field


def test_defaults_are_those_of_the_official_sdk() -> None:
    config = RetryConfig()
    assert (config.max_connections, config.progress_timeout) == (1000, 7200)
    assert RetryConfig(max_connections=None).max_connections is None
    assert RetryConfig(50) == RetryConfig(max_connections=50)
    assert hash(RetryConfig()) == hash(config)
