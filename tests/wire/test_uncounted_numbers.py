"""Servers that lose count, and servers that hold a poll for longer than we let them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

import tinker_ext as tinker
from tinker_ext.runtime.submission.sequence import SequenceNumbers
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from tinker_ext.testing import Received

MISSING = "tinker://run/weights/missing"


def conflict(expected: int, got: int) -> Reply:
    """Told late enough that what was asked for meanwhile is on its way, too."""
    words = f"Sequence conflict: expected {expected}, got {got}."
    return Reply(409, {"detail": words}, delay=0.3)


def test_numbering_goes_on_from_where_the_server_waits() -> None:
    """A load is taken in, fails, and is not counted: two conflicts, then all is well again."""
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


def test_old_news_does_not_set_numbers_back_again() -> None:
    numbers = SequenceNumbers(lambda _: None)
    numbers.next = 48
    numbers.rewind(45, 0)
    assert (numbers.next, numbers.epoch) == (45, 1)
    numbers.next = 47
    numbers.rewind(45, 0)  # from a request sent before
    numbers.rewind(50, 1)  # not back
    assert (numbers.next, numbers.epoch) == (47, 1)


def test_a_poll_that_is_held_beyond_our_limit_is_no_failure() -> None:
    server = FakeServer()
    with make_client(server, clock=SimulatedTime().clock, retry_window=0.01) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", *[httpx.ReadTimeout("held")] * 6)
        training.optim_step(tinker.AdamParams()).result(30)
    # That of the model, those held, and the one that got the result.
    assert len(server.calls("retrieve_future")) == 8


def test_a_server_that_answers_nothing_is_given_up() -> None:
    server = FakeServer()
    with make_client(server, retry_window=0.01) as service:
        training = service.create_lora_training_client("fake/model")
        service._core.session.last_beat = None
        server.respond("retrieve_future", *[httpx.ReadTimeout("silent")] * 6)
        with pytest.raises(tinker.APITimeoutError):
            training.optim_step(tinker.AdamParams()).result(30)
