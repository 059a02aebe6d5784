"""Errors for confused names and paths suggest the correct argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "fake/model"
PATH = "tinker://run-1/weights/a"
SESSION = "0f4c1f0e-5d0b-4a52-9d7e-2f8a7c1b3e90"


@pytest.mark.parametrize(
    ("call", "where", "instead"),
    [
        (lambda service: service.create_sampling_client(BASE), "model_path", "base_model="),
        (
            lambda service: service.create_sampling_client(base_model=PATH),
            "base_model",
            "model_path= takes a path",
        ),
        (
            lambda service: service.create_lora_training_client(PATH),
            "base_model",
            "create_training_client_from_state takes a path",
        ),
        (
            lambda service: service.create_training_client_from_state(BASE),
            "tinker_path",
            "create_lora_training_client",
        ),
        (
            lambda service: service.create_training_client_from_state(PATH, PATH),
            "base_model",
            "takes a path",
        ),
        (
            lambda service: service.create_lora_training_client(BASE).load_state("weights/a"),
            "path",
            "tinker://RUN/weights/NAME",
        ),
    ],
)
def test_confused_path_and_base_model_raise_with_a_hint(
    service: tinker.ServiceClient, call: Callable[[Any], Any], where: str, instead: str
) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        call(service)
    assert caught.value.where == where
    assert instead in str(caught.value)


MISSING = Reply(404, {"detail": "no such training run: it was not found"})


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("get_training_run", lambda rest, run: rest.get_training_run(run)),
        ("list_checkpoints", lambda rest, run: rest.list_checkpoints(run)),
        ("delete_checkpoint", lambda rest, run: rest.delete_checkpoint(run, "weights/a")),
        (
            "publish_checkpoint",
            lambda rest, run: rest.publish_checkpoint_from_tinker_path(f"tinker://{run}/weights/a"),
        ),
        (
            "get_checkpoint_archive_url",
            lambda rest, run: rest.get_checkpoint_archive_url(run, "weights/a"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("run", "hinted"), [(SESSION, True), (f"{SESSION}:train:0", False), ("a-run", False)]
)
def test_unknown_run_without_a_model_number_raises_with_a_hint(
    server: FakeServer,
    service: tinker.ServiceClient,
    operation: str,
    call: Callable[[Any, str], Any],
    run: str,
    hinted: bool,
) -> None:
    server.respond_always(operation, MISSING)
    with pytest.raises(tinker.NotFoundError) as caught:
        call(service.create_rest_client(), run).result(10)
    assert (f"named {SESSION}:train:0" in str(caught.value)) is hinted


def test_unknown_path_of_a_session_raises_with_a_hint(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    server.respond_always("create_sampling_session", MISSING)
    with pytest.raises(tinker.NotFoundError, match="may be a session"):
        service.create_sampling_client(f"tinker://{SESSION}/sampler_weights/a")
    with pytest.raises(tinker.NotFoundError) as caught:
        service.create_sampling_client(base_model=BASE)
    assert caught.value.hint == ""


def test_ignored_name_warns(service: tinker.ServiceClient) -> None:
    training = service.create_lora_training_client(BASE)
    with pytest.warns(UserWarning, match="'step-100'.*save_weights_for_sampler") as caught:
        training.save_weights_and_get_sampling_client("step-100")
    assert caught[0].filename == __file__
    training.save_weights_and_get_sampling_client()


async def test_ignored_name_warns_when_awaited(
    service: tinker.ServiceClient,
) -> None:
    training = await service.create_lora_training_client_async(BASE)
    with pytest.warns(UserWarning, match="'step-100'") as caught:
        await training.save_weights_and_get_sampling_client_async("step-100")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
def test_max_retries_limits_the_attempts(server: FakeServer, retries: int, attempts: int) -> None:
    with make_client(server, max_retries=retries) as service:
        server.respond_always("get_server_capabilities", Reply(503, None, {"retry-after-ms": "1"}))
        with pytest.raises(tinker.InternalServerError) as caught:
            service.get_server_capabilities()
    assert caught.value.attempts == attempts
    assert len(server.calls("get_server_capabilities")) == attempts


def test_polls_do_not_count_as_retries(server: FakeServer) -> None:
    waiting = Reply(200, {"type": "try_again", "queue_state": "active"})
    with make_client(server, max_retries=0) as service:
        training = service.create_lora_training_client(BASE)
        server.respond("retrieve_future", waiting, waiting)
        training.optim_step(tinker.AdamParams()).result(10)


@pytest.mark.parametrize("value", [-1, 1.5, True, "many"])
def test_invalid_max_retries_raises(value: Any) -> None:
    with pytest.raises(
        tinker.ConfigurationError, match=r"max_retries: expected an integer of at least 0"
    ):
        tinker.ServiceClient(api_key="tml-x", max_retries=value)
