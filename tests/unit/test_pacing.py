"""Clients that share a server's rate limit use its capacity (`benchmarks/pacing.py`)."""

from __future__ import annotations

import pytest

from benchmarks import pacing

CLIENTS, IN_FLIGHT, REQUESTS = 40, 10, 100


@pytest.fixture(autouse=True)
def small_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "CAPACITY", 100.0)


@pytest.mark.parametrize("limit", pacing.LIMITS, ids=lambda limit: limit.title)
def test_clients_of_a_limited_server_finish_near_the_ideal_time(limit: pacing.Limit) -> None:
    outcome = pacing.simulate(limit, CLIENTS, IN_FLIGHT, REQUESTS)
    assert outcome.seconds <= 1.3 * pacing.ideal_seconds(CLIENTS, IN_FLIGHT, REQUESTS)


def test_one_client_within_the_limit_is_not_slowed_down() -> None:
    outcome = pacing.simulate(pacing.LIMITS[0], 1, IN_FLIGHT, REQUESTS)
    assert outcome.seconds == pytest.approx(REQUESTS / IN_FLIGHT * pacing.SERVICE)
    assert outcome.sent_per_request == 1
