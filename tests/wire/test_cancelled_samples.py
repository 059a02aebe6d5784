"""Abandoned samples are cancelled on servers that enable `cancel_future`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, announce
from tests.waiting import comes_true
from tests.wire.counting import Counting
from tinker_ext.runtime.results import batch_poller
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from tests.wire.conftest import Fits

WAITING = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"}, delay=0.05)


def cancelling(*, batched: bool = False, **dynamic: Any) -> FakeServer:
    """A server that never completes a sample, and accepts cancellations."""
    server = FakeServer()
    dynamic = {"sample_cancel_enabled": True, **dynamic}
    announce(server, dynamic=dynamic, sample_use_retrieve_futures=batched)
    server.respond_always("retrieve_future", WAITING)
    server.respond_always(
        "retrieve_futures", Reply(200, {"completions": [], "cursor": 0}, delay=0.05)
    )
    return server


def submitted(
    server: FakeServer, service: tinker.ServiceClient, count: int
) -> list[tinker.APIFuture[tinker.SampleResponse]]:
    """Futures of samples that are submitted and being polled."""
    sampler = service.create_sampling_client(base_model="fake/model")
    futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(count)]
    core = service._core
    assert comes_true(lambda: len(server.calls("asample")) == count)
    assert comes_true(lambda: core.limits.sample_bytes.used == 0)
    assert comes_true(
        lambda: bool(server.calls("retrieve_future") or server.calls("retrieve_futures"))
    )
    return futures


def cancelled(server: FakeServer) -> list[str]:
    return [call.body["request_id"] for call in server.calls("cancel_future")]


@pytest.mark.parametrize("batched", [False, True], ids=["polled", "batched"])
def test_cancelled_future_sends_cancel_request(fits: Fits, batched: bool) -> None:
    server = cancelling(batched=batched)
    with make_client(server) as service:
        futures = submitted(server, service, 3)
        assert futures[1].cancel()
        assert comes_true(lambda: len(cancelled(server)) == 1)
        for future in futures:
            future.cancel()
        assert comes_true(lambda: len(cancelled(server)) == 3)
    assert sorted(cancelled(server)) == sorted(server.results)
    for call in server.calls("cancel_future"):
        fits(call, "0.38")


def test_expired_deadline_sends_cancel_request() -> None:
    server = cancelling()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with tinker.deadline(0.3):
            future = sampler.sample(PROMPT, 1, PARAMS)
        with pytest.raises(tinker.DeadlineExceededError):
            future.result(10)
        assert comes_true(lambda: cancelled(server) == list(server.results))


def test_expired_future_timeout_sends_cancel_request() -> None:
    server = cancelling()
    with make_client(server, future_timeout=0.2) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.DeadlineExceededError):
            sampler.sample(PROMPT, 1, PARAMS).result(10)
        assert comes_true(lambda: cancelled(server) == list(server.results))


def test_expired_result_timeout_sends_no_cancel_request() -> None:
    server = cancelling()
    with make_client(server) as service:
        [future] = submitted(server, service, 1)
        with pytest.raises(tinker.DeadlineExceededError):
            future.result(0.1)
        assert not cancelled(server)
        future.cancel()


def test_close_sends_cancel_requests() -> None:
    server = cancelling()
    service = make_client(server)
    submitted(server, service, 70)
    service.close(timeout=0)
    assert sorted(cancelled(server)) == sorted(server.results)


def test_close_does_not_wait_for_an_unresponsive_server() -> None:
    server = cancelling()
    server.respond_always("cancel_future", Reply(200, None, delay=60))
    service = make_client(server)
    submitted(server, service, 3)
    started = time.monotonic()
    service.close(timeout=0)
    assert time.monotonic() - started < batch_poller.CLOSE_TIMEOUT + 3
    assert len(cancelled(server)) == 3


def test_concurrent_cancel_requests_obey_the_server_limit() -> None:
    server = Counting("/cancel_future")
    dynamic = {"sample_cancel_enabled": True, "sample_cancel_max_batch_size": 8}
    announce(server, dynamic=dynamic)
    server.respond_always("retrieve_future", WAITING)
    with make_client(server) as service:
        for future in submitted(server, service, 50):
            future.cancel()
        assert comes_true(lambda: len(cancelled(server)) == 50)
    assert 1 < server.most <= 8


@pytest.mark.parametrize(
    "dynamic", [{"sample_cancel_enabled": False}, {}], ids=["disabled", "no flag"]
)
def test_no_cancel_request_unless_the_flag_enables_it(dynamic: dict[str, Any]) -> None:
    server = FakeServer()
    announce(server, dynamic=dynamic)
    server.respond_always("retrieve_future", WAITING)
    with make_client(server) as service:
        submitted(server, service, 1)[0].cancel()
    assert not cancelled(server)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_server_without_cancel_operation_is_sent_one_request(status: int) -> None:
    server = cancelling(sample_cancel_max_batch_size=1)
    server.respond_always("cancel_future", Reply(status, ""))
    with make_client(server) as service:
        for future in submitted(server, service, 5):
            future.cancel()
        assert comes_true(lambda: not service.server_protocol.supports("cancel_future"))
    assert len(cancelled(server)) == 1


@pytest.mark.parametrize(
    "fault",
    [Reply(403, {"detail": "no"}), Reply(200, "<html>"), Reply(404, {"detail": "no such request"})],
    ids=["403", "HTML page", "404 for the request"],
)
def test_failed_cancel_request_affects_no_other_sample(fault: Reply) -> None:
    server = cancelling()
    server.respond_always("cancel_future", fault)
    with make_client(server) as service:
        sample, *others = submitted(server, service, 4)
        for future in others:
            future.cancel()
        assert comes_true(lambda: len(cancelled(server)) == 3)
        server.respond_by_default()
        assert sample.result(10).sequences
        assert service.server_protocol.supports("cancel_future")


def test_temporary_fault_of_cancel_request_is_retried() -> None:
    server = cancelling()
    server.respond("cancel_future", Reply(503, ""), httpx.ConnectError("no"))
    with make_client(server) as service:
        submitted(server, service, 1)[0].cancel()
        assert comes_true(lambda: len(cancelled(server)) == 3)
    assert len(set(cancelled(server))) == 1
