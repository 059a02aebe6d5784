"""Servers that lose sequence numbers, and servers that hold polls beyond the timeout."""

from __future__ import annotations

import httpx
import pytest

import tinker_ext as tinker
from tinker_ext.runtime.submission.sequence import SequenceNumbers
from tinker_ext.testing import FakeServer, Received, Reply, SimulatedTime, make_client

MISSING = "tinker://run/weights/missing"


def conflict(expected: int, got: int) -> Reply:
    """A delayed conflict, so that further requests are sent before it arrives."""
    words = f"Sequence conflict: expected {expected}, got {got}."
    return Reply(409, {"detail": words}, delay=0.3)


def test_seq_ids_resume_at_the_number_the_server_expects() -> None:
    """A load fails and does not count: two conflicts, then requests succeed again."""
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", Reply(404, {"detail": "no such checkpoint"}))
        with pytest.raises(tinker.NotFoundError):
            training.load_state(MISSING).result(10)
        replies = {2: conflict(1, 2), 3: conflict(1, 3)}
        numbers = iter((2, 3))

        def refuse(_: Received) -> Reply:
            return replies[next(numbers)]

        server.respond("retrieve_future", refuse, refuse)
        pending = [training.optim_step(tinker.AdamParams()) for _ in range(2)]
        for item in pending:
            with pytest.raises(tinker.RequestFailedError, match="Sequence conflict"):
                item.result(10)
        training.optim_step(tinker.AdamParams()).result(10)
        training.optim_step(tinker.AdamParams()).result(10)
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [2, 3, 1, 2]


def test_outdated_conflict_does_not_rewind_again() -> None:
    numbers = SequenceNumbers(lambda _: None)
    numbers.next = 48
    numbers.rewind(45, 0)
    assert (numbers.next, numbers.epoch) == (45, 1)
    numbers.next = 47
    numbers.rewind(45, 0)  # From a request sent earlier.
    numbers.rewind(50, 1)  # Does not rewind.
    assert (numbers.next, numbers.epoch) == (47, 1)


def test_poll_timeout_is_not_a_failure() -> None:
    server = FakeServer()
    with make_client(server, clock=SimulatedTime().clock, retry_window=0.01) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", *[httpx.ReadTimeout("held")] * 6)
        training.optim_step(tinker.AdamParams()).result(30)
    # The poll of the model, the held polls, and the one that returned the result.
    assert len(server.calls("retrieve_future")) == 8


def test_unresponsive_server_raises() -> None:
    server = FakeServer()
    with make_client(server, retry_window=0.01) as service:
        training = service.create_lora_training_client("fake/model")
        service._core.session.last_beat = None
        server.respond("retrieve_future", *[httpx.ReadTimeout("silent")] * 6)
        with pytest.raises(tinker.APITimeoutError):
            training.optim_step(tinker.AdamParams()).result(30)
