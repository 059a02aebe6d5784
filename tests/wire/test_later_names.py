"""Methods and arguments of release 0.38.0: the requests they send and the values they return."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext.testing import BASE_URL, FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import Received

PATH = "tinker://run-1/weights/a"


NOT_FOUND = Reply(404, {"detail": "Not Found"})


def test_optimizer_config_is_sent_once_and_its_params_with_each_step(
    server: FakeServer, service: tinker.ServiceClient, fits: Callable[[Received, str], None]
) -> None:
    training = service.create_lora_training_client(
        "fake/model", optimizer=tinker.DimuonOptimizerConfig()
    )
    training.optim_step(tinker.DimuonParams(0.1)).result(10)
    [created], [step] = server.calls("create_model"), server.calls("optim_step")
    assert created.body["optimizer_config"] == {"type": "dimuon", "version": 1}
    assert step.body["optimizer_params"]["type"] == "dimuon"
    assert "adam_params" not in step.body
    fits(created, "0.38")
    fits(step, "0.38")


def test_adam_is_the_default_optimizer(
    server: FakeServer, service: tinker.ServiceClient, fits: Callable[[Received, str], None]
) -> None:
    training = service.create_lora_training_client("fake/model")
    training.optim_step(adam_params=tinker.AdamParams()).result(10)
    fits(server.calls("create_model")[0], "0.4.1")
    fits(server.calls("optim_step")[0], "0.4.1")


@pytest.mark.parametrize(
    "arguments", [{}, {"optim_params": tinker.AdamParams(), "adam_params": tinker.AdamParams()}]
)
def test_step_requires_exactly_one_params_argument(
    service: tinker.ServiceClient, arguments: dict[str, Any]
) -> None:
    training = service.create_lora_training_client("fake/model")
    with pytest.raises(tinker.InvalidInputError, match="optim_params"):
        training.optim_step(**arguments)


def test_params_of_another_type_raise_and_send_nothing(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training: Any = service.create_lora_training_client("fake/model")
    sampler: Any = service.create_sampling_client(base_model="fake/model")
    with pytest.raises(tinker.InvalidInputError, match="optim_params: expected AdamParams"):
        training.optim_step(1e-4)
    with pytest.raises(tinker.InvalidInputError, match="sampling_params: expected SamplingParams"):
        sampler.sample(PROMPT, 1, {"max_tokens": 1})
    assert not server.calls("optim_step")
    assert not server.calls("asample")


def test_resume_with_another_base_model_and_metadata(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    service.create_training_client_from_state(PATH, "other/model", {"k": "v"})
    service.create_training_client_from_state(PATH, {"k": "second"})
    first, second = server.calls("create_model")
    assert (first.body["base_model"], first.body["user_metadata"]) == ("other/model", {"k": "v"})
    assert second.body["base_model"] == "fake/model"
    assert second.body["user_metadata"] == {"k": "second"}
    assert all("optimizer" not in call.body for call in server.calls("load_weights"))
    with pytest.raises(tinker.InvalidInputError, match="base_model"):
        service.create_training_client_from_state(PATH, {"k": "v"}, {"k": "v"})


def test_invalid_model_path_raises_for_both_clients(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training = service.create_lora_training_client("fake/model")
    for create in (service.create_sampling_client, training.create_sampling_client):
        with pytest.raises(tinker.InvalidInputError, match="model_path"):
            create("run-1/weights/a")
    assert not server.calls("create_sampling_session")


async def test_resume_with_and_without_optimizer_state(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    make = service.create_training_client_from_state_with_optimizer_async
    await make(PATH, weights_access_token="token-of-another")
    await service.create_training_client_from_state_async(
        PATH, optimizer=tinker.DimuonOptimizerConfig()
    )
    restored, other = (call.body for call in server.calls("load_weights"))
    assert restored["optimizer"] is True
    assert restored["weights_access_token"] == "token-of-another"
    assert other["optimizer"] is False
    assert server.calls("create_model")[1].body["optimizer_config"]["type"] == "dimuon"


def test_inflight_sampler_and_stability_info_are_requested(
    server: FakeServer, service: tinker.ServiceClient, fits: Callable[[Received, str], None]
) -> None:
    training = service.create_lora_training_client("fake/model")
    sampler = training.save_weights_and_get_sampling_client(
        kind="inflight", record_stability_info=True
    )
    sampler.sample(PROMPT, 1, PARAMS).result(10)
    training.save_weights_and_get_sampling_client().sample(PROMPT, 1, PARAMS).result(10)
    inflight, fixed = server.calls("save_weights_for_sampler")
    assert inflight.body["kind"] == "inflight"
    assert "kind" not in fixed.body
    recorded, plain = server.calls("asample")
    assert recorded.body["record_stability_info"] is True
    assert "record_stability_info" not in plain.body
    fits(inflight, "0.38")
    fits(recorded, "0.38")
    with pytest.raises(tinker.InvalidInputError, match="kind"):
        training.save_weights_and_get_sampling_client(kind="frozen")  # type: ignore[arg-type]  # on purpose


async def test_awaiting_a_client_returns_it(service: tinker.ServiceClient) -> None:
    training = await service.create_lora_training_client_async("fake/model")
    assert await training is training.result() is training
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    assert await sampler.result_async(1) is sampler


async def test_create_methods_in_an_event_loop_return_awaitable_clients(
    service: tinker.ServiceClient,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training, restored = await asyncio.gather(
            service.create_lora_training_client("fake/model"),
            service.create_training_client_from_state(PATH),
        )
        again = await service.create_training_client_from_state_with_optimizer(PATH)
        samplers = [
            await service.create_sampling_client(base_model="fake/model"),
            await training.create_sampling_client(PATH.replace("weights", "sampler_weights")),
            await training.save_weights_and_get_sampling_client(),
        ]
    assert {type(item) for item in (training, restored, again)} == {tinker.TrainingClient}
    assert {type(sampler) for sampler in samplers} == {tinker.SamplingClient}


async def test_awaitable_client_can_be_used_without_await(
    service: tinker.ServiceClient,
) -> None:
    sampler = service.create_sampling_client(base_model="fake/model")
    assert isinstance(sampler, tinker.SamplingClient)
    assert repr(sampler) in ("<SamplingClient pending>", "<SamplingClient fake/model>")
    client = await sampler.result_async(10)
    assert type(client) is tinker.SamplingClient
    assert sampler.result() is client
    assert repr(sampler) == repr(client)
    assert len((await sampler.sample(PROMPT, 1, PARAMS)).sequences) == 1
    copy = pickle.loads(pickle.dumps(sampler))
    assert copy.sampling_session_id == client.sampling_session_id


async def test_failed_creation_raises_when_awaited(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="rank"):
        service.create_lora_training_client("fake/model", rank=0)
    server.respond("create_sampling_session", NOT_FOUND)
    pending = service.create_sampling_client(base_model="fake/model")
    with pytest.raises(tinker.NotFoundError):
        await pending


def test_base_model_is_known_or_requested_from_sampler_or_run(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    assert service.create_sampling_client(base_model="some/model").get_base_model() == "some/model"
    assert not server.calls("get_sampler")
    sampler = service.create_sampling_client(PATH)
    assert [sampler.get_base_model() for _ in range(2)] == ["fake/model"] * 2
    assert len(server.calls("get_sampler")) == 1

    server.respond("get_sampler", NOT_FOUND, NOT_FOUND)
    assert service.create_sampling_client(PATH).get_base_model() == "fake/model"
    assert len(server.calls("get_training_run")) == 1
    unknown = tinker.SamplingClient(sampler._core, "sampling-9")
    with pytest.raises(tinker.NotFoundError):
        unknown.get_base_model()


async def test_tokenizer_of_the_embedded_model(
    service: tinker.ServiceClient,
) -> None:
    sampler = await service.create_sampling_client_async(base_model="embedded/tiny")
    assert await sampler.get_base_model_async() == "embedded/tiny"
    assert sampler.get_tokenizer().encode("ab") == [97, 98]
    assert await sampler.get_tokenizer_async() is sampler.get_tokenizer()


def test_sampler_handle_refers_to_the_weights_and_contains_no_key(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    sampler = service.create_sampling_client(PATH)
    handle = sampler.get_sampler_handle()
    content = json.loads(base64.urlsafe_b64decode(handle))
    assert content["base_url"] == BASE_URL
    assert "tml-test" not in str(content)
    again = tinker.SamplingClient.from_sampler_handle(handle, api_key="tml-other")
    assert again.sampling_session_id == sampler.sampling_session_id
    assert again.model_path == PATH
    assert again._core.config.api_key is not None
    assert again._core.config.api_key.reveal() == "tml-other"


@pytest.mark.parametrize("handle", ["", "no base64", base64.urlsafe_b64encode(b"[]").decode()])
def test_invalid_sampler_handle_raises(handle: str) -> None:
    with pytest.raises(tinker.InvalidInputError, match="handle"):
        tinker.SamplingClient.from_sampler_handle(handle)


def test_copy_weights_uses_the_project_of_the_service(server: FakeServer) -> None:
    with make_client(server, project_id="mine") as service:
        assert service.copy_weights(PATH, ttl_seconds=3600).result(10).startswith("tinker://")
    [copied] = server.calls("copy_weights")
    assert copied.body["destination_project_id"] == "mine"


def test_session_name_and_project_are_sent(
    server: FakeServer, fits: Callable[[Received, str], None]
) -> None:
    with make_client(server, project_id="p", display_name="nightly") as service:
        service.create_sampling_client(base_model="fake/model")
    with make_client(server) as service:
        service.create_sampling_client(base_model="fake/model")
    named, plain = server.calls("create_session")
    assert (named.body["project_id"], named.body["display_name"]) == ("p", "nightly")
    assert not {"project_id", "display_name"} & plain.body.keys()
    fits(named, "0.38")
    fits(plain, "0.4.1")
