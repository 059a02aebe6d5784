"""What an error remembers of the way it came: the user's frames, and nothing of ours."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from types import FrameType

DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)


def frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def names(error: BaseException) -> list[str]:
    return [frame.f_code.co_name for frame in frames(error)]


def failing_loss(data: object, logprobs: object) -> Any:
    kept = "a variable of the user's"
    raise ZeroDivisionError(f"in the loss: {kept}")


def losing_loss(data: object, logprobs: object) -> Any:
    raise tinker.TinkerError("raised by the user")


def raised(loss: Any) -> BaseException:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom([DATUM], loss, arrays="numpy")
        with pytest.raises(Exception, match=r"in the loss|by the user") as caught:
            future.result(30)
        return caught.value


def test_an_error_of_the_client_begins_at_the_users_line() -> None:
    server = FakeServer()
    server.respond("optim_step", Reply(400, {"detail": "no"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.optim_step(tinker.AdamParams())
        with pytest.raises(tinker.BadRequestError) as caught:
            future.result(30)
    way = {"result", "_settle", "_settle_quietly", "__get_result"}
    assert set(names(caught.value)[1:]) <= way, "no line of the retry engine"


def test_a_mistake_in_a_loss_keeps_its_lines_and_the_users_variables() -> None:
    error = raised(failing_loss)
    loss = next(frame for frame in frames(error) if frame.f_code is failing_loss.__code__)
    assert loss.f_locals["kept"] == "a variable of the user's"
    assert "run_loss" in names(error), "the lines in between are there"
    between = next(frame for frame in frames(error) if frame.f_code.co_name == "run_loss")
    assert between.f_locals == {}, "without their variables"


def test_of_an_error_of_ours_that_a_loss_raises_the_users_frames_stay() -> None:
    assert "losing_loss" in names(raised(losing_loss))
    assert "run_loss" not in names(raised(losing_loss))
