"""A future shows its state, and in a notebook updates it until the request is done."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency import notebook
from tinker_ext.testing import FakeServer, Received, Reply, make_client

WAITING = {"type": "try_again", "request_id": "x", "queue_state": "paused_capacity"}


class Display:
    """The functions of `IPython.display` that are used, and the values shown with them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[str] = []
        self.threads: set[str] = set()
        module = ModuleType("IPython.display")
        vars(module).update(HTML=str, display=self.display)
        monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
        monkeypatch.setitem(sys.modules, "IPython.display", module)

    def display(self, html: str, *, display_id: bool) -> Display:
        assert display_id
        self.update(html)
        return self

    def update(self, html: str) -> None:
        self.shown.append(html)
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    monkeypatch.setattr(notebook, "INTERVAL", 0.01)
    return Display(monkeypatch)


def show(future: Any) -> None:
    """Show a future as IPython does at the end of a cell."""
    future._ipython_display_()


def test_pending_future_is_updated_until_it_is_done(display: Display) -> None:
    server = FakeServer()
    released = threading.Event()

    def retrieve(received: Received) -> Reply:
        done = server.default_reply(received)
        assert isinstance(done, Reply)
        return done if released.is_set() else Reply(200, WAITING, delay=0.02)

    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond_always("retrieve_future", retrieve)
        future = sampler.sample(PROMPT, 1, PARAMS)
        assert "sample: pending" in repr(future)
        show(future)
        assert "<code>sample: pending" in display.shown[0]
        assert comes_true(lambda: any("paused_capacity" in html for html in display.shown))
        released.set()
        assert future.result(30).sequences
        assert comes_true(lambda: "sample: done" in display.shown[-1])
    assert "tinker-ext-notebook" in display.threads
    assert "sample: done" in repr(future)


def test_failed_future_shows_its_error_without_retrieving_it(
    display: Display, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeServer()
    server.respond_always("optim_step", Reply(400, {"detail": "no"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.optim_step(tinker.AdamParams())
        assert comes_true(future.done)
        show(future)
        assert "optim_step: failed, BadRequestError" in display.shown[-1]
        assert "optim_step: failed, BadRequestError" in repr(future)
        del future
    assert comes_true(lambda: "its exception was never retrieved" in caplog.text)
