"""Copies of a sampling client in other processes: each uses its own range of sequence numbers."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, announce
from tinker_ext.testing import FaultServer, Reply, faults, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.wire.conftest import Fits

RANGE = 1_000_000_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("TINKER_API_KEY", "tml-test")
    with FaultServer() as running:
        announce(running, sample_join_sampling_session=True, sample_use_retrieve_futures=True)
        yield running


def copies(service: tinker.ServiceClient, count: int) -> list[tinker.SamplingClient]:
    """Unpickled copies, as other processes receive them."""
    pickled = pickle.dumps(service.create_sampling_client(base_model="fake/model"))
    return [pickle.loads(pickled) for _ in range(count)]


def seq_ids(server: FaultServer) -> list[int]:
    return [call.body["seq_id"] for call in server.calls("asample")]


def test_each_copy_joins_the_session_once(server: FaultServer, fits: Fits) -> None:
    with make_client(base_url=server.url) as service:
        first, second = copies(service, 2)
        for sampler in (first, second):
            for future in [sampler.sample(PROMPT, 1, PARAMS) for _ in range(5)]:
                assert future.result(30).sequences
        assert sorted(seq_ids(server)) == [
            *range(RANGE, RANGE + 5),
            *range(2 * RANGE, 2 * RANGE + 5),
        ]
        joined = server.calls("join_sampling_session")
        assert len(joined) == 2
        for call in joined:
            fits(call, "0.38")
            assert call.body["sampling_session_id"] == first.sampling_session_id
        polls = server.calls("retrieve_futures")
        assert {poll.body["target"]["cloned_sampler_id"] for poll in polls} == {1, 2}


def test_client_that_created_the_session_does_not_join(server: FaultServer) -> None:
    with make_client(base_url=server.url) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(2):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert seq_ids(server) == [0, 1]
    assert not server.calls("join_sampling_session")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, {"detail": "Not Found"}),
        Reply(405, ""),
        Reply(501, {"detail": "clones choose their numbers by themselves"}),
        Reply(200, {"client_counter": 0}),
        Reply(200, {"client_counter": "one"}),
    ],
    ids=["404", "405", "501", "id of the creator", "not an id"],
)
def test_copy_without_client_id_starts_at_a_random_seq_id(
    server: FaultServer, reply: Reply
) -> None:
    server.respond_always("join_sampling_session", reply)
    with make_client(base_url=server.url) as service:
        [copy] = copies(service, 1)
        for _ in range(3):
            assert copy.sample(PROMPT, 1, PARAMS).result(30).sequences
    first, *others = seq_ids(server)
    assert first > 0
    assert others == [first + 1, first + 2]
    assert len(server.calls("join_sampling_session")) == 1
    assert not server.calls("retrieve_futures"), "another copy may share the range"


@pytest.mark.parametrize("flags", [{}, {"sample_join_sampling_session": False}])
def test_copy_does_not_join_unless_the_flag_enables_it(
    server: FaultServer, flags: dict[str, Any]
) -> None:
    announce(server, **flags)
    with make_client(base_url=server.url) as service:
        assert copies(service, 1)[0].sample(PROMPT, 1, PARAMS).result(30).sequences
    assert not server.calls("join_sampling_session")


def test_lost_join_response_is_retried(server: FaultServer) -> None:
    server.respond("join_sampling_session", faults.lost_request(), Reply(503, ""))
    with make_client(base_url=server.url) as service:
        assert copies(service, 1)[0].sample(PROMPT, 1, PARAMS).result(60).sequences
    assert seq_ids(server) == [RANGE]


def test_rejected_join_fails_waiting_samples_and_is_repeated_for_the_next(
    server: FaultServer,
) -> None:
    server.respond("join_sampling_session", Reply(403, {"detail": "not you"}))
    with make_client(base_url=server.url) as service:
        [copy] = copies(service, 1)
        failed = [copy.sample(PROMPT, 1, PARAMS) for _ in range(3)]
        for future in failed:
            with pytest.raises(tinker.PermissionDeniedError, match="not you"):
                future.result(30)
        assert not server.calls("asample")
        assert copy.sample(PROMPT, 1, PARAMS).result(30).sequences
    assert seq_ids(server) == [RANGE]
