"""Servers with any combination of abilities: whatever a server can do works, and keeps working."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import tinker_ext as tinker
from tests.wire.drawn_server import UNKNOWN_LOSS, DrawnServer, Traits, traits
from tinker_ext.testing import Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tinker_ext import APIFuture

# Seconds of real time for one call, which takes milliseconds.
WAIT = 30
PATH = "tinker://run-1/weights/a"
PROMPT = tinker.ModelInput(
    chunks=[
        tinker.ImageChunk(data=b"x", format="png", height=1, width=1, tokens=1, expected_tokens=1),
        *tinker.ModelInput.from_ints([1, 2]).chunks,
    ]
)
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [2, 3], "weights": [1.0, 1.0]},
)
ERROR_500 = Reply(500, "Internal Server Error")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of clients log more than a failure needs."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


STEPS = ("forward", "mistake", "forward_backward", "optim_step", "load_weights", "asample")
#: Each step before and after each other one.
EVERY_ORDER = [*STEPS, *reversed(STEPS)]


def run_steps(server: DrawnServer, steps: Sequence[str]) -> None:
    """Checks that steps of a training script succeed if the server is able to do them."""
    able = {
        "forward": server.traits.passes_forward,
        "forward_backward": server.traits.trains,
        "mistake": False,
    }
    with make_client(
        server, clock=SimulatedTime().clock, retry_window=8, telemetry=False
    ) as service:
        training = service.create_lora_training_client("fake/model")
        sampler = service.create_sampling_client(base_model="fake/model")
        params = tinker.SamplingParams(max_tokens=1)
        calls: dict[str, Callable[[], APIFuture[Any]]] = {
            "forward": lambda: training.forward([DATUM], "cross_entropy"),
            "mistake": lambda: training.forward_backward([DATUM], UNKNOWN_LOSS),
            "forward_backward": lambda: training.forward_backward([DATUM], "cross_entropy"),
            "optim_step": lambda: training.optim_step(tinker.AdamParams()),
            "load_weights": lambda: training.load_state(PATH),
            "asample": lambda: sampler.sample(PROMPT, 1, params),
        }
        for index, name in enumerate(steps):
            # A trial that meets an outage ends, and the first error is reported.
            fails = server.outage > 0 and server.traits.outage[0] == 500
            cut_short = fails and name == "forward"
            error = calls[name]().exception(WAIT)
            if error and fails and name == "forward_backward":
                # The outage can't be distinguished from the refusal of a form; the next call works.
                error = calls[name]().exception(WAIT)
            assert error is None or isinstance(error, tinker.APIStatusError), f"{index}: {name}"
            if not cut_short:
                assert (error is None) == able.get(name, True), f"{index}: {name}: {error}"


def check(server: DrawnServer, steps: Sequence[str]) -> None:
    """Checks the properties that hold on every server."""
    run_steps(server, steps)
    assert server.conflicts == [], "a sequence number was used twice"
    seq_ids = sorted(int(key[-1]) for key in server.counted if key[0] == "model_id")
    assert seq_ids == list(range(1, len(seq_ids) + 1)), "a sequence number was skipped"
    for operation in ("forward", "forward_backward"):
        forms = {item.form for item in server.trained if item.operation == operation}
        assert len(forms) <= 1, "an accepted form was changed"


@pytest.mark.timeout(1200)
@settings(
    max_examples=2000, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(traits(), st.lists(st.sampled_from(STEPS), min_size=4, max_size=6))
def test_every_operation_the_server_can_do_works(drawn: Traits, steps: list[str]) -> None:
    note(f"{drawn}")
    check(DrawnServer(drawn), steps)


@pytest.mark.parametrize(
    "config",
    [
        {"create_model_via_load_weights": False},
        {"proto_write_fwdbwd": True, "fwd_via_fwdbwd": True},
        {"fwdbwd_max_chunk_len": 1024},
        None,
    ],
    ids=["0.24.1", "0.24.1 with protobuf", "0.25.0", "no client/config"],
)
@pytest.mark.parametrize("has_forward", [True, False])
def test_json_server_that_fails_on_protobuf(
    config: dict[str, Any] | None, has_forward: bool
) -> None:
    """FastAPI routes with a `dict` as their body respond to protobuf with 500."""
    server = DrawnServer(Traits(config=config, has_forward=has_forward, refusal=ERROR_500))
    check(server, EVERY_ORDER)
    assert {item.form for item in server.trained} == {"json"}


def test_server_built_like_open_rl() -> None:
    """JSON with the flags of 0.24.1, no `forward`, 500 on protobuf: 0.24 trains on it."""
    server = DrawnServer(
        Traits(
            config={"create_model_via_load_weights": False}, has_forward=False, refusal=ERROR_500
        )
    )
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([DATUM], "cross_entropy").result(WAIT)
        with pytest.raises(tinker.NotFoundError, match="no such operation") as caught:
            training.forward([DATUM], "cross_entropy").result(WAIT)
        assert caught.value.unsupported
        training.forward_backward([DATUM], "cross_entropy").result(WAIT)
        training.optim_step(tinker.AdamParams()).result(WAIT)
        path = training.save_state("a").result(WAIT).path
        training.load_state(path).result(WAIT)
        sampler = training.save_weights_and_get_sampling_client()
        sampler.sample(PROMPT, 1, tinker.SamplingParams(max_tokens=1)).result(WAIT)
        resumed = service.create_training_client_from_state(path)
        resumed.forward_backward([DATUM], "cross_entropy").result(WAIT)
    assert not any(isinstance(call.body, bytes) for call in server.received), "protobuf was sent"
    assert len(server.calls("forward")) == 1
