"""The runner classifies what steps do, and the summary says which capabilities a server has."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

import tinker_ext as tinker
from tinker_ext.server_check import ALL, CheckedServer
from tinker_ext.server_check.runner import (
    NO_SUCH_OPERATION,
    AcceptedError,
    Capability,
    Ending,
    Outcome,
    ServerError,
    State,
    Steps,
    by_capability,
    grade,
    is_compatible,
    missing_operations,
    problems,
    reason_of,
    refused,
    results_of,
)
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = CheckedServer("m", {"base_url": "http://127.0.0.1:9", "api_key": "tml-x"})


def run(function: Callable[[State], str | None], timeout: float = 10.0) -> Outcome:
    steps = Steps()
    steps(Capability.TRAINS)(function)
    [outcome] = steps.run(SERVER, lambda _: None, timeout=timeout)
    return outcome


def raising(error: Exception) -> Callable[[State], str | None]:
    def step(_: State) -> str | None:
        raise error

    return step


def unsupported() -> tinker.TinkerError:
    error = tinker.APIStatusError("no", status_code=404)
    return error.mark_unsupported("another operation")


@pytest.mark.parametrize(
    ("error", "ending", "reason"),
    [
        (ServerError("constant loss"), Ending.SERVER_WRONG, "constant loss"),
        (AcceptedError("the server took it"), Ending.ACCEPTED, "accepted"),
        (tinker.APIStatusError("no", status_code=500), Ending.TYPED_ERROR, "HTTP 500"),
        (unsupported(), Ending.TYPED_ERROR, NO_SUCH_OPERATION),
        (
            tinker.APIResponseValidationError("5 logprobs"),
            Ending.SERVER_WRONG,
            "the response does not fit the request",
        ),
        (tinker.APITimeoutError("late"), Ending.TYPED_ERROR, "no response in time"),
        (AssertionError("5 values"), Ending.WRONG, "AssertionError: 5 values"),
    ],
)
def test_error_of_a_step_becomes_an_ending_and_a_reason(
    error: Exception, ending: Ending, reason: str
) -> None:
    outcome = run(raising(error))
    assert (outcome.ending, outcome.reason) == (ending, reason)


def test_long_reason_is_shortened() -> None:
    reason = reason_of(tinker.RequestFailedError("x" * 500))
    assert reason.startswith("RequestFailedError: xxx")
    assert len(reason) < 70


def test_step_without_its_input_is_left_out() -> None:
    outcome = run(lambda state: str(state.missing))
    assert (outcome.ending, outcome.detail) == (Ending.LEFT_OUT, "there is no missing")


def test_step_that_hangs_is_abandoned_and_the_next_one_runs() -> None:
    released = threading.Event()
    steps = Steps()

    @steps(Capability.TRAINS)
    def hangs(_: State) -> None:
        released.wait(60)

    @steps(Capability.SAMPLES)
    def works(_: State) -> str:
        return "done"

    first, second = steps.run(SERVER, lambda _: None, timeout=0.05)
    released.set()
    assert (first.ending, first.reason) == (Ending.HUNG, "no end after 0.05 s")
    assert (second.ending, second.detail) == (Ending.OK, "done")


def test_mistake_that_is_accepted_raises() -> None:
    with pytest.raises(AcceptedError, match="the server took it: 7"):
        refused(lambda: 7)


def outcome(name: str, ending: Ending, reason: str = "") -> Outcome:
    return Outcome(name, ending, "", 0.0, reason)


MISSING = outcome("publish", Ending.TYPED_ERROR, NO_SUCH_OPERATION)
FAILED = outcome("unpublish", Ending.TYPED_ERROR, "HTTP 500")
WORKS = outcome("train", Ending.OK)
LEFT_OUT = outcome("archive_url", Ending.LEFT_OUT)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], "-"),
        ([WORKS, outcome("a_wrong_key", Ending.ACCEPTED, "accepted")], "yes"),
        ([WORKS, MISSING, LEFT_OUT], "1 of 3"),
        ([MISSING, LEFT_OUT], "no"),
    ],
)
def test_grade(outcomes: list[Outcome], expected: str) -> None:
    assert grade(outcomes) == expected


def test_missing_operation_is_compatible_and_other_failures_are_not() -> None:
    assert is_compatible([WORKS, MISSING, LEFT_OUT])
    assert not is_compatible([WORKS, FAILED])
    assert not is_compatible([outcome("train", Ending.HUNG, "no end after 1 s")])
    assert missing_operations([WORKS, MISSING, FAILED]) == ["publish"]
    assert problems([WORKS, MISSING, FAILED, LEFT_OUT]) == (
        "no such operation: publish; HTTP 500: unpublish"
    )


def test_every_step_has_a_capability_and_its_own_name() -> None:
    assert len(set(ALL.names)) == len(ALL) > 55
    groups = by_capability([outcome(name, Ending.OK) for name in ALL.names], ALL.capabilities)
    assert all(groups.values())


def test_results_of_two_rejected_requests_raise_the_first_error_and_log_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer()
    for operation in ("forward_backward", "optim_step"):
        failed = {"type": "request_failed", "error": f"no {operation}", "category": "user"}
        server.respond(operation, server.submitted(failed))
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints([1, 2]),
        loss_fn_inputs={"target_tokens": [2, 3], "weights": [1.0, 1.0]},
    )
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.RequestFailedError, match="no forward_backward"):
            results_of(
                [
                    training.forward_backward([datum], "cross_entropy"),
                    training.optim_step(tinker.AdamParams()),
                ]
            )
        gc.collect()
        assert len(results_of([training.optim_step(tinker.AdamParams())])) == 1
    assert "never retrieved" not in caplog.text
