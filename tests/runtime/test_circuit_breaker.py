"""The circuit breaker: requests fail at once while a server is down."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

REFUSED = httpx.ConnectError("refused")


def client_of(server: FakeServer, time: SimulatedTime, **config: Any) -> tinker.ServiceClient:
    settings = {"circuit_failures": 3, "circuit_cooldown": 60.0, "retry_window": 300.0}
    return make_client(server, clock=time.clock, **{**settings, **config})


def sampler_of(service: tinker.ServiceClient) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model="fake/model")


def test_call_fails_at_the_limit_and_later_calls_send_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, time = FakeServer(), SimulatedTime()
    with caplog.at_level(logging.WARNING, "tinker_ext"), client_of(server, time) as service:
        sampler = sampler_of(service)
        server.respond_always("asample", REFUSED)
        with pytest.raises(tinker.CircuitOpenError, match=r"3 attempts in a row.*refused") as first:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        for _ in range(5):
            with pytest.raises(tinker.CircuitOpenError) as later:
                sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 3
        assert isinstance(first.value, tinker.APIConnectionError)
        assert 0 < (later.value.retry_after or 0) <= (first.value.retry_after or 0) <= 60
    (warning,) = [r.message for r in caplog.records if "requests fail at once" in r.message]
    assert warning.startswith("3 attempts in a row have failed")


def test_probe_after_the_cooldown_closes_the_circuit_or_waits_for_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, time = FakeServer(), SimulatedTime()
    with caplog.at_level(logging.WARNING, "tinker_ext"), client_of(server, time) as service:
        sampler = sampler_of(service)
        server.respond("asample", *[REFUSED] * 4)
        with pytest.raises(tinker.CircuitOpenError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        time.pass_by(60)
        with pytest.raises(tinker.CircuitOpenError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 4, "the probe failed"
        with pytest.raises(tinker.CircuitOpenError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        time.pass_by(60)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 6
    assert any("responds again" in record.message for record in caplog.records)


def test_clients_share_a_circuit_if_base_url_and_key_are_the_same() -> None:
    server, time = FakeServer(), SimulatedTime()
    with (
        client_of(server, time, api_key="tml-shared") as first,
        client_of(server, time, api_key="tml-shared") as second,
        client_of(server, time, api_key="tml-other") as other,
    ):
        samplers = [sampler_of(service) for service in (first, second, other)]
        server.respond("asample", *[REFUSED] * 3)
        for sampler in samplers[:2]:
            with pytest.raises(tinker.CircuitOpenError):
                sampler.sample(PROMPT, 1, PARAMS).result(30)
        samplers[2].sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 4


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(503, None, {"Retry-After": "1"}), Reply(429, None, {"Retry-After": "1"})],
    ids=["500", "503 with a delay", "429"],
)
def test_response_of_a_working_server_does_not_open_the_circuit(reply: Reply) -> None:
    server, time = FakeServer(), SimulatedTime()
    with client_of(server, time) as service:
        sampler = sampler_of(service)
        server.respond("asample", *[reply] * 6)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 7


def test_result_of_an_accepted_request_is_polled_for_while_the_circuit_is_open() -> None:
    server, time = FakeServer(), SimulatedTime()
    with client_of(server, time) as service:
        sampler = sampler_of(service)
        server.respond("retrieve_future", *[REFUSED] * 5)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("retrieve_future")) == 6


def test_without_the_setting_calls_are_retried_in_their_window() -> None:
    server, time = FakeServer(), SimulatedTime()
    with client_of(server, time, circuit_failures=None) as service:
        sampler = sampler_of(service)
        server.respond("asample", *[REFUSED] * 20)
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        assert len(server.calls("asample")) == 21


def test_invalid_limit_is_rejected() -> None:
    with pytest.raises(tinker.ConfigurationError, match="circuit_failures"):
        make_client(FakeServer(), circuit_failures=0)
