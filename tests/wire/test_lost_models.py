"""A restarted server: its errors about models and sessions are SessionLostError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [2, 3], "weights": [1.0, 1.0]},
)
NO_MODEL = Reply(404, {"detail": "Model session-1:train:0 not found"})
PATH = "tinker://no-such-run/weights/a"
RESUME = "create_training_client_from_state"


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("forward", lambda training: training.forward([DATUM], "cross_entropy")),
        ("forward_backward", lambda training: training.forward_backward([DATUM], "cross_entropy")),
        ("optim_step", lambda training: training.optim_step(tinker.AdamParams())),
        ("save_weights", lambda training: training.save_state("a")),
        ("save_weights_for_sampler", lambda training: training.save_weights_for_sampler("a")),
        ("load_weights", lambda training: training.load_state("tinker://run/weights/a")),
    ],
)
@pytest.mark.parametrize("when", ["submitted", "executed"])
def test_lost_model_raises_with_a_hint_to_resume(
    operation: str,
    call: Callable[[tinker.TrainingClient], tinker.APIFuture[object]],
    when: str,
) -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        failed = {"type": "request_failed", "error": "Model not found", "category": "user_error"}
        server.respond(operation, NO_MODEL if when == "submitted" else server.submitted(failed))
        with pytest.raises(tinker.SessionLostError, match=RESUME) as caught:
            call(training).result(10)
        cause = tinker.NotFoundError if when == "submitted" else tinker.RequestFailedError
        assert isinstance(caught.value.__cause__, cause)
        call(training).result(10)
    expected = [1, 1] if when == "submitted" else [1, 2]
    assert [item.body["seq_id"] for item in server.calls(operation)] == expected


def test_lost_session_raises_with_a_hint_to_resume() -> None:
    server = FakeServer()
    lost = Reply(404, {"detail": "session session-1 does not exist"})
    server.respond("create_model", lost)
    server.respond("create_sampling_session", lost)
    with make_client(server) as service:
        with pytest.raises(tinker.SessionLostError, match=RESUME):
            service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.SessionLostError, match=RESUME):
            service.create_sampling_client(base_model="fake/model")


@pytest.mark.parametrize(
    ("operation", "reason", "call"),
    [
        (
            "load_weights",
            "Source session 'no-such-run' not found",
            lambda service: service.create_lora_training_client("fake/model").load_state(PATH),
        ),
        (
            "create_sampling_session",
            "Failed to create sampling session: Unknown model: no/such",
            lambda service: service.create_sampling_client(base_model="no/such"),
        ),
    ],
)
def test_missing_path_or_base_model_is_not_a_lost_session(
    operation: str, reason: str, call: Callable[[tinker.ServiceClient], Any]
) -> None:
    server = FakeServer()
    server.respond_always(operation, Reply(404, {"detail": reason}))
    with make_client(server) as service, pytest.raises(tinker.NotFoundError, match=reason):
        call(service).result(10)


def test_load_that_is_not_the_first_request_raises_with_a_hint() -> None:
    server = FakeServer()
    reason = {"detail": "LoadWeights is not permitted with seq_id 2"}
    server.respond_always("load_weights", Reply(400, reason))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.optim_step(tinker.AdamParams()).result(10)
        with pytest.raises(tinker.BadRequestError, match=RESUME) as caught:
            training.load_state("tinker://run/weights/a").result(10)
    assert not caught.value.unsupported


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("Maximum number of LoRA adapters (4) reached", "unload_model"),
        ("LoRA rank 32 exceeds the maximum of 8", "lower rank"),
        ("base model fake/model is not supported", "get_server_capabilities"),
    ],
)
def test_restriction_of_new_models_raises_with_a_hint(error: str, hint: str) -> None:
    server = FakeServer()
    body = {"type": "request_failed", "error": error, "category": "user_error"}
    server.respond("create_model", Reply(400, {"detail": error}), server.submitted(body))
    with make_client(server) as service:
        for error_type in (tinker.BadRequestError, tinker.RequestFailedError):
            with pytest.raises(error_type, match=hint):
                service.create_lora_training_client("fake/model")
