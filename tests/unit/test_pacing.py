"""Clients that share a server's rate limit use its capacity (`benchmarks/pacing.py`)."""

from __future__ import annotations

import pytest

from benchmarks import pacing

#: Twenty times as many requests as the server admits.
OVERLOAD = pacing.Sizes(clients=20, in_flight=4, requests=60, capacity=20.0)
MODERATE = pacing.Sizes(clients=10, in_flight=10, requests=100, capacity=50.0)
limits = pytest.mark.parametrize("limit", pacing.LIMITS, ids=lambda limit: limit.title)


@limits
@pytest.mark.parametrize("sizes", [OVERLOAD, MODERATE], ids=["overload", "moderate"])
def test_clients_of_a_limited_server_finish_near_the_ideal_time(
    limit: pacing.Limit, sizes: pacing.Sizes
) -> None:
    outcome = pacing.simulate(limit, sizes)
    assert outcome.seconds <= 1.3 * sizes.ideal_seconds
    assert outcome.sent_per_request <= 2


def test_no_request_gives_up_when_a_client_gets_a_place_every_five_seconds() -> None:
    sizes = pacing.Sizes(clients=20, in_flight=4, requests=20, capacity=4.0)
    outcome = pacing.simulate(pacing.LIMITS[1], sizes)
    assert outcome.seconds <= 1.5 * sizes.ideal_seconds


def test_one_client_within_the_limit_is_not_slowed_down() -> None:
    sizes = pacing.Sizes(clients=1, in_flight=10, requests=100, capacity=100.0)
    outcome = pacing.simulate(pacing.LIMITS[0], sizes)
    assert outcome.seconds == pytest.approx(sizes.requests / sizes.in_flight * pacing.SERVICE)
    assert outcome.sent_per_request == 1
