"""The client before a server that tells of ended samples together, counts copies, takes cancels.

The embedded backend announces what the hosted service may; training stays as it is.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from conformance.interop.recorder import Forwarder, recording
from tests.waiting import comes_true
from tinker_ext import RequestFailedError, SamplingClient, SamplingParams, ServiceClient, types
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.interop.recorder import Recording

pytestmark = pytest.mark.timeout(120)

FLAGS = {
    "sample_use_retrieve_futures": True,
    "sample_join_sampling_session": True,
    "sample_cancel_enabled": True,
}
KEY = "tml-batched"
WAIT = 60.0
PROMPT = types.ModelInput.from_ints(list(b"The quick brown fox"))


@pytest.fixture(scope="module")
def record() -> Iterator[Recording]:
    """Between the client and the server, to count the requests."""
    with (
        start_embedded(dialect="0.38", flags=FLAGS) as server,
        recording(Forwarder(server.url)) as recorded,
    ):
        yield recorded


@pytest.fixture
def service(record: Recording) -> Iterator[ServiceClient]:
    record.exchanges.clear()
    with ServiceClient(base_url=record.url, api_key=KEY) as opened:
        yield opened


def count_requests(record: Recording, operation: str) -> int:
    """How many requests for an operation had a response."""
    return sum(
        exchange.request.path.endswith(f"/{operation}") for exchange in list(record.exchanges)
    )


def sampler_of(service: ServiceClient) -> SamplingClient:
    return service.create_sampling_client(base_model="embedded/tiny")


def params(tokens: int = 16) -> SamplingParams:
    return SamplingParams(max_tokens=tokens, seed=1, stop=[])


def test_two_hundred_samples_take_few_questions(service: ServiceClient, record: Recording) -> None:
    sampler = sampler_of(service)
    futures = [sampler.sample(PROMPT, 1, params()) for _ in range(200)]
    result = {tuple(future.result(WAIT).sequences[0].tokens) for future in futures}
    assert len(result) == 1, "all have the same seed"
    assert len(result.pop()) == 16
    assert count_requests(record, "retrieve_future") == count_requests(record, "asample") == 200
    assert count_requests(record, "retrieve_futures") < 30


def test_the_same_is_sampled_as_without(service: ServiceClient) -> None:
    together = sampler_of(service).sample(PROMPT, 3, params()).result(WAIT)
    with start_embedded() as plain, ServiceClient(base_url=plain.url, api_key=KEY) as other:
        alone = sampler_of(other).sample(PROMPT, 3, params()).result(WAIT)
    assert [sequence.tokens for sequence in together.sequences] == [
        sequence.tokens for sequence in alone.sequences
    ]


def test_what_fails_fails_by_its_name(service: ServiceClient) -> None:
    sampler = sampler_of(service)
    good = sampler.sample(PROMPT, 1, params())
    with pytest.raises(RequestFailedError, match="max_tokens"):
        sampler.sample(PROMPT, 1, params(10**6)).result(WAIT)
    assert good.result(WAIT).sequences


def test_copies_sample_beside_the_one_they_are_of(
    service: ServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    sampler = sampler_of(service)
    copies = [pickle.loads(pickle.dumps(sampler)) for _ in range(2)]
    for copy in copies:  # The server counts them as they come.
        assert copy.sample(PROMPT, 1, params()).result(WAIT).sequences
    futures = [item.sample(PROMPT, 1, params()) for item in (sampler, *copies) for _ in range(5)]
    assert all(future.result(WAIT).sequences for future in futures)
    assert [item._member.counter for item in (sampler, *copies)] == [0, 1, 2]


def test_what_is_cancelled_makes_room(service: ServiceClient, record: Recording) -> None:
    """The work would take minutes."""
    sampler = sampler_of(service)
    endless = [sampler.sample(PROMPT, 512, params(900)) for _ in range(3)]
    core = service._core
    assert comes_true(
        lambda: count_requests(record, "asample") == 3 and core.limits.sample_bytes.used == 0,
        WAIT,
    )
    for future in endless:
        assert future.cancel()
    assert sampler.sample(PROMPT, 1, params()).result(WAIT).sequences
    assert count_requests(record, "cancel_future") == 3
