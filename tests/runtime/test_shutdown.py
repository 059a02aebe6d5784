"""Shutdown: Ctrl-C, exit of the interpreter, and close, with many pending requests."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT, announce
from tests.processes import bare_environment
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.testing import FakeServer, FaultServer, Reply, faults, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

CLOSING_OPERATIONS = ("cancel_future", "retrieve_futures", "send_telemetry", "finish_session")
WAITING = {"type": "try_again", "request_id": "x", "queue_state": "active"}


@pytest.fixture
def busy() -> Iterator[FaultServer]:
    """A server that accepts all requests and completes none."""
    with FaultServer() as server:
        server.respond_always("retrieve_future", _never_done)
        yield server


def _never_done(received: object) -> Reply:
    return Reply(200, WAITING, delay=0.2)


@pytest.mark.parametrize("timeout", ["5", None, math.nan, 10**400, 1j])
def test_close_with_a_timeout_that_is_not_a_number_leaves_the_client_open(timeout: Any) -> None:
    with make_client(FakeServer()) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.InvalidInputError, match="timeout: expected a number of seconds"):
            service.close(timeout=timeout)
        assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences


def test_interrupt_while_a_call_is_handed_over_leaves_later_calls_working(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = background_loop().asyncio_loop
    wake = loop.call_soon_threadsafe

    def interrupted(*args: Any) -> NoReturn:
        monkeypatch.setattr(loop, "call_soon_threadsafe", wake)
        raise KeyboardInterrupt

    with make_client(FakeServer()) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences
        monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sampler.sample(PROMPT, 1, PARAMS)
        assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences


PROGRAM = """
import sys
import tinker_ext as t
service = t.ServiceClient(base_url=sys.argv[1], api_key="tml-test")
sampler = service.create_sampling_client(base_model="fake/model")
params = t.SamplingParams(max_tokens=4)
futures = [sampler.sample(t.ModelInput.from_ints([1]), 1, params) for _ in range(50)]
print("ready", flush=True)
"""


def start(program: str, server: FaultServer) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", program, server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=bare_environment(),
    )


def test_interpreter_exits_silently_with_pending_requests(busy: FaultServer) -> None:
    process = start(PROGRAM, busy)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"ready\n", b"")


def test_system_exit_with_pending_requests_prints_nothing(busy: FaultServer) -> None:
    process = start(PROGRAM + "raise SystemExit(3)\n", busy)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, b"")


INTERRUPTED = (
    PROGRAM
    + """
import time
try:
    futures[0].result()
except KeyboardInterrupt:
    print("interrupted", futures[0].cancelled(), flush=True)
"""
)


def test_ctrl_c_in_result_cancels_and_returns_at_once(busy: FaultServer) -> None:
    process = start(INTERRUPTED, busy)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.5)
    interrupted_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"interrupted True\n"
    took = time.monotonic() - interrupted_at
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert took < 1.0


def test_close_without_timeout_cancels_500_pending_calls(busy: FaultServer) -> None:
    service = tinker.ServiceClient(base_url=busy.url, api_key="tml-test")
    sampler = service.create_sampling_client(base_model="fake/model")
    futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(500)]
    assert comes_true(lambda: len(busy.calls("asample")) >= 300)
    started = time.monotonic()
    service.close(timeout=0)
    assert time.monotonic() - started < 20
    for future in futures:
        with pytest.raises(tinker.ClientClosedError):
            future.result(0)


def test_close_with_timeout_waits_for_500_pending_calls() -> None:
    with FaultServer() as server:
        service = tinker.ServiceClient(base_url=server.url, api_key="tml-test")
        sampler = service.create_sampling_client(base_model="fake/model")
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(500)]
        service.close(timeout=60)
        assert all(future.result(0).sequences for future in futures)
        assert len(server.counted) == 501, "each once, plus the sampling session"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


@pytest.fixture
def no_log() -> Iterator[None]:
    """Disable logging: pytest keeps log records, which would look like a leak."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_cancel_and_wait_runs_done_callbacks_first() -> None:
    """Also for a task that is already done but whose callbacks have not run."""
    owned: set[asyncio.Task[None]] = set()
    task = asyncio.create_task(asyncio.sleep(0, None))
    owned.add(task)
    task.add_done_callback(owned.discard)
    for _ in range(2):
        await asyncio.sleep(0)
    assert task.done()
    assert owned == {task}
    await tasks.cancel_and_wait(*owned)
    assert owned == set()


def test_close_directly_after_cancel_returns() -> None:
    for _ in range(20):
        server = FakeServer()
        server.respond("asample", Reply(200, delay=30))
        service = make_client(server)
        future = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
        assert comes_true(partial(server.calls, "asample"))
        future.cancel()
        closing = threading.Thread(target=service.close, kwargs={"timeout": 0}, daemon=True)
        closing.start()
        closing.join(20)
        assert not closing.is_alive()


@pytest.mark.parametrize(("first", "second"), [(60, 0), (60, 0.3), (0.3, 60)])
def test_shorter_timeout_of_concurrent_close_calls_wins(
    busy: FaultServer, first: float, second: float
) -> None:
    service = make_client(base_url=busy.url)
    future = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
    assert comes_true(partial(busy.calls, "retrieve_future"))
    waiting = threading.Thread(target=service.close, kwargs={"timeout": first}, daemon=True)
    waiting.start()
    assert comes_true(lambda: service._core.closed)
    started = time.monotonic()
    service.close(timeout=second)
    took = time.monotonic() - started
    with pytest.raises(tinker.ClientClosedError):
        future.result(0)
    waiting.join(20)
    assert not waiting.is_alive()
    assert took < 20, "usually less than one second"
    service.close(timeout=60)
    assert time.monotonic() - started < 30, "a third call returns at once"


def test_concurrent_close_calls_wait_for_pending_requests() -> None:
    with FaultServer() as server:
        service = make_client(base_url=server.url)
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond("retrieve_future", Reply(200, WAITING, delay=0.5))
        future = sampler.sample(PROMPT, 1, PARAMS)
        threads = [threading.Thread(target=service.close, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert future.result(0).sequences


def test_close_without_timeout_does_not_wait_for_an_unresponsive_server(
    http_transport: str,
) -> None:
    with FaultServer() as server:
        announce(server, sample_use_retrieve_futures=True, dynamic={"sample_cancel_enabled": True})
        service = make_client(base_url=server.url, http_transport=http_transport)
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        for operation in CLOSING_OPERATIONS:
            server.respond_always(operation, faults.silent())
        future = sampler.sample(PROMPT, 1, PARAMS)
        assert comes_true(partial(server.calls, "retrieve_futures"))
        future.cancel()
        started = time.monotonic()
        service.close("interrupted", timeout=0)
        took = time.monotonic() - started
        assert server.calls("finish_session")
    assert took < 4, "usually 1.5 s; a busy machine takes longer"


@pytest.mark.usefixtures("no_log")
def test_thousands_of_closed_clients_leave_no_objects() -> None:
    server = FakeServer()

    def use(times: int) -> None:
        for _ in range(times):
            with make_client(server) as service:
                training = service.create_lora_training_client("fake/model")
                training.optim_step(tinker.AdamParams()).result(30)
            server.received.clear()
            server.results.clear()
            server.counted.clear()
            server._request_ids.clear()

    use(100)
    threads, before = threading.active_count(), _alive()
    use(1000)
    after = _alive()
    assert threading.active_count() <= threads + 2, "the loop's pool starts workers as needed"
    grown = {name: count - before[name] for name, count in after.items() if count > before[name]}
    assert not {name for name in grown if name.startswith("tinker")}, "no objects of this package"
    assert sum(grown.values()) < 1000, "less than one object per client"


def _alive() -> Counter[str]:
    """Count live objects by type; the number of cancelled timers varies."""
    gc.collect()
    kinds = (type(obj) for obj in gc.get_objects())
    return Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)


def test_closed_clients_close_their_sockets() -> None:
    with FaultServer() as server:

        def use(times: int) -> None:
            for _ in range(times):
                with tinker.ServiceClient(base_url=server.url, api_key="tml-test") as service:
                    service.create_sampling_client(base_model="fake/model").sample(
                        PROMPT, 1, PARAMS
                    ).result(30)

        use(20)
        before = _open_files()
        use(150)
        time.sleep(0.2)
        assert _open_files() <= before + 10


def test_slow_custom_loss_does_not_delay_heartbeats() -> None:
    server = FakeServer()
    beats: list[int] = []

    def loss(data: object, logprobs: list[np.ndarray]) -> tuple[float, list[np.ndarray], dict]:  # type: ignore[type-arg]
        before = len(server.calls("session_heartbeat"))
        time.sleep(1.5)
        beats.append(len(server.calls("session_heartbeat")) - before)
        return 0.0, logprobs, {}

    with make_client(server, heartbeat_interval=0.1) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward_custom([DATUM], loss, arrays="numpy").result(60)
    assert beats[0] >= 5
