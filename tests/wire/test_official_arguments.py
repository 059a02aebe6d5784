"""Arguments with the order and names of the official SDK."""

from __future__ import annotations

import asyncio
import sys
import warnings
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import FakeServer

PATH = "tinker://run-1/weights/a"


def test_datum_accepts_positional_arguments_and_no_inputs() -> None:
    prompt = tinker.ModelInput.from_ints([1, 2])
    datum = tinker.Datum(prompt, {"target_tokens": [2, 3]})
    assert datum == tinker.Datum(loss_fn_inputs={"target_tokens": [2, 3]}, model_input=prompt)
    assert tinker.Datum(prompt).loss_fn_inputs == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda service, retry_config: service.create_sampling_client(PATH, None, retry_config),
        lambda service, retry_config: service.create_sampling_client_async(
            PATH, None, retry_config
        ),
        lambda service, retry_config: trained(service).create_sampling_client(PATH, retry_config),
        lambda service, retry_config: trained(service).create_sampling_client_async(
            PATH, retry_config
        ),
        lambda service, retry_config: trained(service).save_weights_and_get_sampling_client(
            None, retry_config
        ),
        lambda service, retry_config: trained(service).save_weights_and_get_sampling_client_async(
            None, retry_config
        ),
        lambda service, retry_config: trained(service).save_weights_and_get_sampling_client_submit(
            retry_config
        ),
    ],
)
def test_retry_config_accepted_and_other_types_rejected(
    service: tinker.ServiceClient, make: Callable[[tinker.ServiceClient, Any], Any]
) -> None:
    def create(retry_config: Any) -> Any:
        client = make(service, retry_config)
        return asyncio.run(client) if asyncio.iscoroutine(client) else client.result(10)

    assert isinstance(create(None), tinker.SamplingClient)
    assert isinstance(create(tinker.RetryConfig(max_connections=3)), tinker.SamplingClient)
    with pytest.raises(tinker.InvalidInputError, match="expected a RetryConfig") as caught:
        create({"max_connections": 3})
    assert caught.value.where == "retry_config"


def trained(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


def test_arguments_after_retry_config_keep_their_position(
    service: tinker.ServiceClient, server: FakeServer
) -> None:
    sampler = service.create_sampling_client(PATH, None, None, True)
    sampler.sample(PROMPT, 1, PARAMS).result(10)
    trained(service).save_weights_and_get_sampling_client(None, None, True, "inflight")
    assert server.calls("asample")[0].body["record_stability_info"] is True
    assert server.calls("save_weights_for_sampler")[0].body["kind"] == "inflight"


def test_custom_loss_receives_logprobs_for_any_loss_type_input(
    service: tinker.ServiceClient,
) -> None:
    datum = tinker.Datum(tinker.ModelInput.from_ints([1]), {"target_tokens": [2]})
    training = trained(service)

    def loss(data: Any, logprobs: Any) -> Any:
        return 1.0, logprobs, {}

    options: dict[str, Any] = {"arrays": "numpy", "loss_type_input": "logprobs"}
    asyncio.run(training.forward_backward_custom_async([datum], loss, **options)).result(10)
    options["loss_type_input"] = "logits"
    with pytest.raises(tinker.InvalidInputError) as caught:
        training.forward_backward_custom([datum], loss, **options)
    assert caught.value.where == "loss_type_input"


def test_traced_loss_requires_torch(
    service: tinker.ServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(tinker.ConfigurationError, match=r"torch.*numpy"):
        service.create_custom_loss(lambda logprobs: (logprobs.sum(), {}), {"logprobs": 1})


def test_service_accepts_positional_project_and_both_names_of_headers() -> None:
    headers = {"x-a": "1", "x-b": "1"}
    with tinker.ServiceClient(
        {"k": "v"},
        "project-1",
        base_url="embedded",
        default_headers=headers,
        default_headers_overrides={"x-b": "2"},
    ) as service:
        config = service.config
    assert (config.project_id, dict(config.user_metadata)) == ("project-1", {"k": "v"})
    assert dict(config.default_headers) == {"x-a": "1", "x-b": "2"}
    assert config.sources["project_id"] == "argument"


@pytest.mark.parametrize("name", ["default_headers", "default_headers_overrides"])
def test_invalid_header_names_raise_configuration_error(name: str) -> None:
    wrong: dict[str, Any] = {"default_headers_overrides": {"x-b": "2"}, name: ["x-a: 1"]}
    with pytest.raises(tinker.ConfigurationError, match=r"default_headers: .* got list"):
        tinker.ServiceClient(base_url="embedded", **wrong)


async def test_clients_and_futures_convert_to_coroutines_and_standard_futures(
    service: tinker.ServiceClient,
) -> None:
    pending = service.create_lora_training_client("fake/model")
    training = await asyncio.create_task(pending.coroutine())
    assert wait([pending.future(), training.future()], timeout=10).not_done == set()
    assert training.future().result() is await training.coroutine() is training
    assert isinstance(training, tinker.BackcompatTrainingClientFuture)
    saved = training.save_state("a")
    assert (await asyncio.create_task(saved.coroutine())).type == "save_weights"


def test_type_discriminators_can_be_passed_and_read() -> None:
    assert types.OwnSearchOwner(type="own") == types.OwnSearchOwner()
    assert types.ClientFinishedSessionStatusQuery().type == "client_finished"
    adam = types.AdamOptimizerConfig(type="adamw")
    dimuon = types.DimuonOptimizerConfig(type="dimuon", version=1)
    assert (adam.type, dimuon.version, dimuon.settings) == ("adamw", 1, {"version": 1})
    assert types.DimuonParams(type="dimuon", learning_rate=1.0).type == "dimuon"
    other: Any = "sgd"
    yes: Any = True
    for kind in (types.AdamOptimizerConfig, types.DimuonOptimizerConfig, types.OwnSearchOwner):
        with pytest.raises(tinker.InvalidInputError, match="sgd"):
            kind(type=other)
    with pytest.raises(tinker.InvalidInputError, match="expected 1, got True"):
        types.DimuonOptimizerConfig(version=yes)
    assert types.SampleResponse([]).type == "sample"
    category = tinker.RequestErrorCategory
    assert (category.User, category.Server) == (category.USER, category.SERVER)


def test_experimental_warning_can_be_filtered() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=tinker.ExperimentalWarning)
    assert issubclass(tinker.ExperimentalWarning, FutureWarning)
