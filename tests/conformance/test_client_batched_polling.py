"""The client with server flags for batched polling, shared sampling sessions and cancellation.

The embedded backend sends the flags that the hosted service may send. Training is not affected.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from conformance.interop.recorder import Forwarder, Recording, recording
from tests.waiting import comes_true
from tinker_ext import RequestFailedError, SamplingClient, SamplingParams, ServiceClient, types
from tinker_ext.embedded.launch import start_embedded

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
    """A recording proxy between client and server, to count the requests."""
    with (
        start_embedded(protocol="0.38", flags=FLAGS) as server,
        recording(Forwarder(server.url)) as proxy,
    ):
        yield proxy


@pytest.fixture
def service(record: Recording) -> Iterator[ServiceClient]:
    record.exchanges.clear()
    with ServiceClient(base_url=record.url, api_key=KEY) as client:
        yield client


def count_requests(record: Recording, operation: str) -> int:
    """The number of requests for an operation that had a response."""
    return sum(
        exchange.request.path.endswith(f"/{operation}") for exchange in list(record.exchanges)
    )


def sampler_of(service: ServiceClient) -> SamplingClient:
    return service.create_sampling_client(base_model="embedded/tiny")


def params(tokens: int = 16) -> SamplingParams:
    return SamplingParams(max_tokens=tokens, seed=1, stop=[])


def test_two_hundred_samples_need_few_batched_polls(
    service: ServiceClient, record: Recording
) -> None:
    sampler = sampler_of(service)
    futures = [sampler.sample(PROMPT, 1, params()) for _ in range(200)]
    result = {tuple(future.result(WAIT).sequences[0].tokens) for future in futures}
    assert len(result) == 1, "all have the same seed"
    assert len(result.pop()) == 16
    assert count_requests(record, "retrieve_future") == count_requests(record, "asample") == 200
    assert count_requests(record, "retrieve_futures") < 30


def test_batched_polling_gives_the_same_samples(service: ServiceClient) -> None:
    batched = sampler_of(service).sample(PROMPT, 3, params()).result(WAIT)
    with start_embedded() as server, ServiceClient(base_url=server.url, api_key=KEY) as other:
        separate = sampler_of(other).sample(PROMPT, 3, params()).result(WAIT)
    assert [sequence.tokens for sequence in batched.sequences] == [
        sequence.tokens for sequence in separate.sequences
    ]


def test_invalid_sample_fails_with_field_name(service: ServiceClient) -> None:
    sampler = sampler_of(service)
    valid = sampler.sample(PROMPT, 1, params())
    with pytest.raises(RequestFailedError, match="max_tokens"):
        sampler.sample(PROMPT, 1, params(10**6)).result(WAIT)
    assert valid.result(WAIT).sequences


def test_pickled_copies_sample_with_their_own_counter(
    service: ServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    sampler = sampler_of(service)
    copies = [pickle.loads(pickle.dumps(sampler)) for _ in range(2)]
    for copy in copies:  # The server assigns the counters in this order.
        assert copy.sample(PROMPT, 1, params()).result(WAIT).sequences
    futures = [item.sample(PROMPT, 1, params()) for item in (sampler, *copies) for _ in range(5)]
    assert all(future.result(WAIT).sequences for future in futures)
    assert [item._sequence.counter for item in (sampler, *copies)] == [0, 1, 2]


def test_cancelled_samples_free_their_slots(service: ServiceClient, record: Recording) -> None:
    sampler = sampler_of(service)
    long_samples = [sampler.sample(PROMPT, 512, params(900)) for _ in range(3)]  # minutes of work
    core = service._core
    assert comes_true(
        lambda: count_requests(record, "asample") == 3 and core.limits.sample_bytes.used == 0,
        WAIT,
    )
    for future in long_samples:
        assert future.cancel()
    assert sampler.sample(PROMPT, 1, params()).result(WAIT).sequences
    assert count_requests(record, "cancel_future") == 3
