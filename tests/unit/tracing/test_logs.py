"""The log: warnings without configuration, more on request, each line with its request id."""

from __future__ import annotations

import gc
import logging
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext import tracing
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVED = """
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client
server = FakeServer()
server.respond("asample", Reply(503))
server.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}), Reply(503))
with make_client(server) as service:
    sampler = service.create_sampling_client(base_model="fake/model")
    prompt = tinker.ModelInput.from_ints([1])
    sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(30)
"""


FAILING = """
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client
server = FakeServer()
server.respond("optim_step", *[Reply(400, {"detail": "no such thing"})] * 3)
with make_client(server) as service:
    training = service.create_lora_training_client("fake/model")
    for _ in range(3):
        training.optim_step(tinker.AdamParams())
"""

UNREACHABLE = """
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, SimulatedTime, make_client
import httpx
server = FakeServer()
server.respond("create_session", *[httpx.ConnectError("refused")] * 12)
with make_client(server, clock=SimulatedTime().clock) as service:
    service.create_sampling_client(base_model="fake/model")
"""

STUCK = """
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client
server = FakeServer()
with make_client(server, clock=SimulatedTime().clock) as service:
    training = service.create_lora_training_client("fake/model")
    active = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.respond("retrieve_future", *[Reply(200, active)] * 60)
    training.optim_step(tinker.AdamParams()).result(30)
"""

SILENT = """
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client
server = FakeServer()
server.respond("asample", Reply(503))
server.respond("retrieve_future", Reply(408, {}), Reply(503))
with make_client(server) as service:
    sampler = service.create_sampling_client(base_model="fake/model")
    prompt = tinker.ModelInput.from_ints([1])
    sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(30)
"""


def lines(program: str = SERVED, **environment: str) -> list[str]:
    """The standard error of a program that does not configure logging."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stderr.splitlines()


def test_brief_failures_are_not_logged_by_default() -> None:
    assert lines(SILENT) == []


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (FAILING, "optim_step failed and its exception was never retrieved: .*no such thing.*"),
        (UNREACHABLE, r"create_session: no success in \d+ s; attempt \d+ failed.* refused.*"),
        (STUCK, r"optim_step: no result in 6\d s; last seen: queue state active \[request-2\]"),
        (SERVED, r"asample is waiting: the service is out of capacity \[request-2\]"),
    ],
    ids=["never retrieved", "unreachable", "active", "paused"],
)
def test_lasting_failure_logs_one_line_without_configuration(program: str, expected: str) -> None:
    [line] = lines(program)
    assert re.fullmatch(expected, line)
    assert lines(program, TINKER_LOG="error") == []
    configured = "import logging; logging.basicConfig(level=logging.ERROR)"
    assert lines(configured + program) == []


def test_package_adds_no_log_handler() -> None:
    program = "import tinker_ext, logging; assert not logging.getLogger('tinker_ext').handlers"
    assert lines(program) == []


def test_each_log_line_ends_with_request_id() -> None:
    messages = [line for line in lines(TINKER_LOG="info") if "asample" in line]
    submission, waiting, poll = messages
    # Before the server assigns an id, the idempotency key is logged.
    assert re.search(r"asample: attempt 1 failed .* \[[0-9a-f-]{36}\]$", submission)
    assert "WARNING" in waiting
    assert waiting.endswith("asample is waiting: the service is out of capacity [request-2]")
    assert re.search(r"asample: attempt 1 failed .* \[request-2\]$", poll)


def test_queue_pause_of_training_is_logged_with_reason(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    paused = {"queue_state": "paused_rate_limit", "queue_state_reason": "too many models"}
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        server.respond("retrieve_future", Reply(408, paused))
        training.optim_step(tinker.AdamParams()).result(30)
    [record] = [record for record in caplog.records if "waiting" in record.message]
    assert record.name == "tinker_ext"
    assert record.levelno == logging.WARNING
    assert "too many models" in record.message
    assert vars(record)["request_id"] == "request-2"


@pytest.fixture
def level() -> Iterator[None]:
    logger = logging.getLogger("tinker_ext")
    before = logger.level, list(logger.handlers)
    yield
    logger.setLevel(before[0])
    logger.handlers[:] = before[1]


def test_use_level_adds_no_handler_if_program_has_one(level: None) -> None:
    handlers = list(logging.getLogger("tinker_ext").handlers)
    tracing.use_level("debug")  # pytest adds handlers to the root logger.
    assert logging.getLogger("tinker_ext").level == logging.DEBUG
    assert logging.getLogger("tinker_ext").handlers == handlers
    tracing.use_level(None)
    assert logging.getLogger("tinker_ext").level == logging.DEBUG


def failing() -> FakeServer:
    server = FakeServer()
    server.respond("asample", Reply(400, {"detail": "no such thing"}))
    return server


@pytest.mark.parametrize("retrieved", [False, True])
def test_unretrieved_failure_is_logged_as_warning(
    caplog: pytest.LogCaptureFixture, retrieved: bool
) -> None:
    with caplog.at_level(logging.WARNING, "tinker_ext"), make_client(failing()) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        future = sampler.sample(PROMPT, 1, PARAMS)
        if retrieved:
            assert isinstance(future.exception(30), tinker.BadRequestError)
        else:
            finished = threading.Event()
            future.add_done_callback(lambda _: finished.set())
            assert finished.wait(30)
        del future
        gc.collect()
    warnings = [line for line in caplog.messages if "never retrieved" in line]
    assert len(warnings) == (0 if retrieved else 1)
    assert retrieved or re.search("sample failed.*no such thing", warnings[0])


def test_deadline_exceeded_error_names_operation() -> None:
    server = FakeServer()
    server.respond("asample", *[Reply(503)] * 50)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        future = sampler.sample(PROMPT, 1, PARAMS)
        with pytest.raises(tinker.DeadlineExceededError) as caught:
            future.result(0.05)
        future.cancel()
    assert caught.value.operation == "sample"
