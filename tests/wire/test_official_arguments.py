"""Arguments in the official SDK's order and under its names, and what comes of them."""

from __future__ import annotations

import asyncio
import sys
import warnings
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import FakeServer

PATH = "tinker://run-1/weights/a"


def test_a_datum_is_made_by_place_and_may_have_no_inputs() -> None:
    prompt = tinker.ModelInput.from_ints([1, 2])
    datum = tinker.Datum(prompt, {"target_tokens": [2, 3]})
    assert datum == tinker.Datum(loss_fn_inputs={"target_tokens": [2, 3]}, model_input=prompt)
    assert tinker.Datum(prompt).loss_fn_inputs == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda service, given: service.create_sampling_client(PATH, None, given),
        lambda service, given: service.create_sampling_client_async(PATH, None, given),
        lambda service, given: trained(service).create_sampling_client(PATH, given),
        lambda service, given: trained(service).create_sampling_client_async(PATH, given),
        lambda service, given: trained(service).save_weights_and_get_sampling_client(None, given),
        lambda service, given: trained(service).save_weights_and_get_sampling_client_async(
            None, given
        ),
        lambda service, given: trained(service).save_weights_and_get_sampling_client_submit(given),
    ],
)
def test_a_retry_config_is_answered_with_what_bounds_retries(
    service: tinker.ServiceClient, make: Callable[[tinker.ServiceClient, Any], Any]
) -> None:
    def made(given: Any) -> Any:
        client = make(service, given)
        return asyncio.run(client) if asyncio.iscoroutine(client) else client.result(10)

    assert isinstance(made(None), tinker.SamplingClient)
    with pytest.raises(tinker.InvalidInputError, match="retry_window") as caught:
        made({"max_connections": 3})
    assert caught.value.where == "retry_config"


def trained(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


def test_what_comes_after_a_retry_config_has_its_place(
    service: tinker.ServiceClient, server: FakeServer
) -> None:
    sampler = service.create_sampling_client(PATH, None, None, True)
    prompt, params = tinker.ModelInput.from_ints([1]), tinker.SamplingParams(max_tokens=1)
    sampler.sample(prompt, 1, params).result(10)
    trained(service).save_weights_and_get_sampling_client(None, None, True, "inflight")
    assert server.calls("asample")[0].body["record_stability_info"] is True
    assert server.calls("save_weights_for_sampler")[0].body["kind"] == "inflight"


def test_a_loss_is_given_logprobs_whatever_is_said(service: tinker.ServiceClient) -> None:
    datum = tinker.Datum(tinker.ModelInput.from_ints([1]), {"target_tokens": [2]})
    training = trained(service)

    def loss(data: Any, logprobs: Any) -> Any:
        return 1.0, logprobs, {}

    said: dict[str, Any] = {"arrays": "numpy", "loss_type_input": "logprobs"}
    asyncio.run(training.forward_backward_custom_async([datum], loss, **said)).result(10)
    said["loss_type_input"] = "logits"
    with pytest.raises(tinker.InvalidInputError) as caught:
        training.forward_backward_custom([datum], loss, **said)
    assert caught.value.where == "loss_type_input"


def test_a_traced_loss_needs_torch(
    service: tinker.ServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(tinker.ConfigurationError, match=r"torch.*numpy"):
        service.create_custom_loss(lambda logprobs: (logprobs.sum(), {}), {"logprobs": 1})


def test_a_service_takes_its_project_by_place_and_headers_by_either_name() -> None:
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
def test_headers_that_have_no_names_are_refused_as_a_setting(name: str) -> None:
    wrong: dict[str, Any] = {"default_headers_overrides": {"x-b": "2"}, name: ["x-a: 1"]}
    with pytest.raises(tinker.ConfigurationError, match=r"default_headers: .* got list"):
        tinker.ServiceClient(base_url="embedded", **wrong)


async def test_clients_and_futures_go_where_coroutines_or_standard_futures_are_wanted(
    service: tinker.ServiceClient,
) -> None:
    made = service.create_lora_training_client("fake/model")
    training = await asyncio.create_task(made.coroutine())
    assert wait([made.future(), training.future()], timeout=10).not_done == set()
    assert training.future().result() is await training.coroutine() is training
    assert isinstance(training, tinker.BackcompatTrainingClientFuture)
    saved = training.save_state("a")
    assert (await asyncio.create_task(saved.coroutine())).type == "save_weights"


def test_what_tells_types_apart_can_be_said_and_read() -> None:
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


def test_a_warning_that_never_comes_can_be_filtered() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=tinker.ExperimentalWarning)
    assert issubclass(tinker.ExperimentalWarning, FutureWarning)
