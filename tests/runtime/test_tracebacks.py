"""Tracebacks of errors: they keep the user's frames and no internal ones."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import DATUM
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from types import FrameType


def frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def names(error: BaseException) -> list[str]:
    return [frame.f_code.co_name for frame in frames(error)]


def failing_loss(data: object, logprobs: object) -> Any:
    variable = "a variable of the user's"
    raise ZeroDivisionError(f"in the loss: {variable}")


def rejecting_loss(data: object, logprobs: object) -> Any:
    raise tinker.TinkerError("raised by the user")


def raised(loss: Any) -> BaseException:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom([DATUM], loss, arrays="numpy")
        with pytest.raises(Exception, match=r"in the loss|by the user") as caught:
            future.result(30)
        return caught.value


def test_traceback_of_a_client_error_starts_at_the_users_line() -> None:
    server = FakeServer()
    server.respond("optim_step", Reply(400, {"detail": "no"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.optim_step(tinker.AdamParams())
        with pytest.raises(tinker.BadRequestError) as caught:
            future.result(30)
    expected = {"result", "_settle"}
    assert set(names(caught.value)[1:]) <= expected, "no frame of the retry engine"
    with pytest.raises(tinker.BadRequestError) as again:
        future.result()
    assert len(names(again.value)) == len(names(caught.value)), "no frame of the first call"
    assert caught.value.__context__ is None


def test_traceback_of_a_failed_creation_shows_no_other_error() -> None:
    server = FakeServer()
    server.respond("create_model", Reply(404, {"detail": "no such model"}))
    with make_client(server) as service, pytest.raises(tinker.NotFoundError) as caught:
        service.create_lora_training_client("fake/model")
    assert "RuntimeError" not in "".join(traceback.format_exception(caught.value))
    assert len(names(caught.value)) <= 5


@pytest.mark.parametrize(
    ("at_most", "call"),
    [
        (2, lambda service: tinker.ServiceClient(base_urll="x")),  # type: ignore[call-arg]  # on purpose
        (3, lambda service: tinker.RestClient(base_urll="x")),  # type: ignore[call-arg]  # on purpose
        (0, lambda service: service.create_lora_training_client("m").forward([], "ppo")),
        (0, lambda service: service.create_lora_training_client("m").forward_backward([1], "ppo")),
        (0, lambda service: service.create_sampling_client(base_model="m").sample([1], 1, None)),
    ],
    ids=["ServiceClient", "RestClient", "forward", "forward_backward", "sample"],
)
def test_traceback_of_an_invalid_argument_has_few_frames_of_the_package(
    at_most: int, call: Any
) -> None:
    with (
        make_client(FakeServer()) as service,
        pytest.raises(ValueError, match=r"Did you mean|expected") as caught,
    ):
        call(service)
    frames_of_the_package = [
        frame for frame in frames(caught.value) if frame.f_code.co_filename != __file__
    ]
    assert len(frames_of_the_package) <= at_most


def test_traceback_of_an_invalid_datum_has_no_frame_of_its_checks() -> None:
    inputs: Any = {"target_tokens": ["a"]}
    with pytest.raises(tinker.InvalidInputError) as caught:
        tinker.Datum(tinker.ModelInput.from_ints([1]), inputs)
    assert names(caught.value)[1:] == ["__init__"]


def test_exception_in_a_loss_keeps_all_frames_and_the_users_variables() -> None:
    error = raised(failing_loss)
    loss = next(frame for frame in frames(error) if frame.f_code is failing_loss.__code__)
    assert loss.f_locals["variable"] == "a variable of the user's"
    assert "run_loss" in names(error), "the frames in between remain"
    between = next(frame for frame in frames(error) if frame.f_code.co_name == "run_loss")
    assert between.f_locals == {}, "without their local variables"


def test_tinker_error_raised_by_a_loss_keeps_only_the_users_frames() -> None:
    assert "rejecting_loss" in names(raised(rejecting_loss))
    assert "run_loss" not in names(raised(rejecting_loss))
