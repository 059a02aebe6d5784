"""A client that is not closed explicitly: it closes with the last reference to it."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, announce
from tests.processes import bare_environment
from tests.waiting import comes_true, tasks
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.testing import FaultServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def client(server: FaultServer, **settings: Any) -> tinker.ServiceClient:
    return make_client(base_url=server.url, heartbeat_interval=0.05, telemetry=True, **settings)


def heartbeats_stop(server: FaultServer) -> bool:
    """Whether no more heartbeats arrive."""
    before = len(server.calls("session_heartbeat"))
    time.sleep(0.4)
    return len(server.calls("session_heartbeat")) == before


@pytest.mark.filterwarnings("error")
def test_dropping_the_last_reference_closes_the_client(server: FaultServer) -> None:
    gc.collect()
    before, released = tasks(), []
    service = client(server, release=lambda: released.append(True))
    training = service.create_lora_training_client("fake/model")
    sampler = service.create_sampling_client(base_model="fake/model")
    rest = service.create_rest_client()
    training.optim_step(tinker.AdamParams()).result(30)
    sampler.sample(PROMPT, 1, PARAMS).result(30)
    rest.list_training_runs().result(30)
    core = weakref.ref(service._core)
    assert comes_true(lambda: len(server.calls("session_heartbeat")) > 1)
    for client_ in (service, training, sampler):
        assert client_ is not None
    del service, training, client_, sampler
    gc.collect()
    assert core() is not None, "the REST client still refers to it"
    assert len(tasks() - before) == 2, "the heartbeat and telemetry tasks"
    assert server.connections_open
    del rest
    assert core() is None, "without the cycle collector"
    assert comes_true(lambda: not tasks() - before)
    assert comes_true(lambda: not server.connections_open), "the sockets are closed"
    assert heartbeats_stop(server)
    assert released == [True]
    sent = [
        item["event"] for call in server.calls("send_telemetry") for item in call.body["events"]
    ]
    assert sent[-1] == "SESSION_END"
    gc.collect()


def test_dropped_client_with_batched_polling_is_closed(server: FaultServer) -> None:
    announce(server, sample_use_retrieve_futures=True)
    gc.collect()
    before = tasks()
    service = client(server)
    sampler = service.create_sampling_client(base_model="fake/model")
    for future in [sampler.sample(PROMPT, 1, PARAMS) for _ in range(20)]:
        future.result(30)
    core = weakref.ref(service._core)
    del service, sampler, future
    assert comes_true(lambda: core() is None), "without the cycle collector"
    assert comes_true(lambda: not tasks() - before)
    assert comes_true(lambda: not server.connections_open)
    reports = [call.body["retrieved_request_ids"] for call in server.calls("retrieve_futures")]
    assert len({item for report in reports for item in report}) == 20, (
        "including those acknowledged on close"
    )


def test_request_continues_while_its_future_is_referenced(server: FaultServer) -> None:
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.respond("retrieve_future", *[Reply(200, waiting, delay=0.1)] * 5)
    before = tasks()
    future = (
        client(server).create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
    )
    gc.collect()
    assert future.result(30).sequences
    assert len(server.calls("retrieve_future")) == 6
    del future
    gc.collect()
    assert comes_true(lambda: not tasks() - before)


def test_request_without_references_completes_before_the_client_closes(server: FaultServer) -> None:
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    training = client(server).create_lora_training_client("fake/model")
    server.respond("retrieve_future", *[Reply(200, waiting, delay=0.1)] * 3)
    before = len(server.calls("retrieve_future"))
    training.optim_step(tinker.AdamParams())
    del training
    assert comes_true(lambda: len(server.calls("retrieve_future")) == before + 4)
    assert comes_true(lambda: not server.connections_open)
    assert heartbeats_stop(server)


def test_stored_error_does_not_keep_the_client_alive(server: FaultServer) -> None:
    service = client(server)
    training = service.create_lora_training_client("fake/model")
    server.respond("optim_step", Reply(400, {"detail": "no"}))
    failed = training.optim_step(tinker.AdamParams())
    error = failed.exception(30)
    assert isinstance(error, tinker.BadRequestError)
    core = weakref.ref(service._core)
    del service, training
    gc.collect()
    assert core() is None
    assert comes_true(lambda: not server.connections_open)


class Owner:
    """An object that owns a client and observes its session."""

    def __init__(self, server: FaultServer) -> None:
        self.service = client(server, session_observer=self)
        self.sampler = self.service.create_sampling_client(base_model="fake/model")

    def on_session_lost(self, error: tinker.SessionLostError) -> None:
        """Do nothing."""


def test_observer_that_owns_the_client_does_not_keep_it_alive(server: FaultServer) -> None:
    owner = Owner(server)
    assert comes_true(lambda: len(server.calls("session_heartbeat")) > 1)
    del owner
    gc.collect()
    assert comes_true(lambda: not server.connections_open)
    assert heartbeats_stop(server)


def test_hundred_dropped_clients_leave_no_task(server: FaultServer) -> None:
    before = tasks()
    for _ in range(100):
        client(server).create_sampling_client(base_model="fake/model")
    assert comes_true(lambda: not tasks() - before, within=60)
    assert comes_true(lambda: not server.connections_open)
    assert len(server.calls("create_session")) == 100


def test_close_on_the_clients_own_loop_closes_in_the_background(server: FaultServer) -> None:
    before, released = tasks(), []
    service = client(server, release=lambda: released.append(True))
    service.create_sampling_client(base_model="fake/model")
    background_loop().call_soon(service.close)
    assert comes_true(lambda: released == [True])
    assert comes_true(lambda: not tasks() - before)
    assert comes_true(lambda: not server.connections_open)


DROPPED = """
import sys, warnings
import tinker_ext as t
from tinker_ext.testing import make_client
def release():
    print("released", flush=True)
service = make_client(base_url=sys.argv[1], release=release)
service.create_sampling_client(base_model="fake/model")
del service
"""


def test_client_dropped_just_before_exit_is_released(server: FaultServer) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", DROPPED, server.url],
        capture_output=True,
        env=bare_environment(),
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"released\n", b"")
