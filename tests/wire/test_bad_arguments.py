"""Invalid arguments raise an error that names them, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext import types
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[tinker.ServiceClient, Any], object]

DATUM = tinker.Datum(PROMPT, {"target_tokens": [2, 3, 4]})
PATH = "tinker://run-1/weights/a"


def sample(service: tinker.ServiceClient, num_samples: Any = 1, **options: Any) -> Any:
    sampler = service.create_sampling_client(base_model="fake/model")
    return sampler.sample(PROMPT, num_samples, PARAMS, **options)


def train(service: tinker.ServiceClient, *loss: Any) -> Any:
    return service.create_lora_training_client("fake/model").forward([DATUM], *loss)


def save(service: tinker.ServiceClient, name: Any = "a", **more: Any) -> Any:
    return service.create_lora_training_client("fake/model").save_state(name, **more)


BAD: list[tuple[str, str, Call, list[Any]]] = [
    ("num_samples", "asample", sample, [0, 1.5, True, "2", None]),
    (
        "include_prompt_logprobs",
        "asample",
        lambda service, bad: sample(service, include_prompt_logprobs=bad),
        ["yes", 1, None],
    ),
    (
        "topk_prompt_logprobs",
        "asample",
        lambda service, bad: sample(service, topk_prompt_logprobs=bad),
        [-1, "2", 1.0],
    ),
    (
        "target_prompt_logprobs",
        "asample",
        lambda service, bad: sample(service, target_prompt_logprobs=bad),
        [[[1], [2]], np.zeros((2, 1), dtype=np.int64)],
    ),
    ("loss_fn", "forward", train, [None, "", 5]),
    (
        "loss_fn_config",
        "forward",
        lambda service, bad: train(service, "ppo", bad),
        [["clip"], "clip", {1: 0.2}],
    ),
    (
        "loss_fn_config['beta']",
        "forward",
        lambda service, bad: train(service, "dro", {"beta": bad}),
        [10**400, -(10**400), float("nan"), True, None],
    ),
    ("name", "save_weights", save, [None, 5, "", "a/b", ".", ".."]),
    (
        "user_metadata['a']",
        "save_weights",
        lambda service, bad: save(service, user_metadata={"a": bad}),
        [5, None],
    ),
    (
        "user_metadata",
        "create_model",
        lambda service, bad: service.create_lora_training_client("m", user_metadata=bad),
        [["a"], "a"],
    ),
    (
        "base_model",
        "create_model",
        lambda service, bad: service.create_lora_training_client(bad),
        [None, "", 5],
    ),
    (
        "base_model",
        "create_model",
        lambda service, bad: service.create_training_client_from_state(PATH, bad),
        ["", 5],
    ),
    (
        "tinker_path",
        "create_model",
        lambda service, bad: service.create_training_client_from_state(bad),
        [None, 5, "a"],
    ),
    (
        "model_path",
        "create_sampling_session",
        lambda service, bad: service.create_sampling_client(bad),
        [None, 5, "a"],
    ),
    (
        "base_model",
        "create_sampling_session",
        lambda service, bad: service.create_sampling_client(base_model=bad),
        ["", 5],
    ),
    (
        "limit",
        "list_training_runs",
        lambda service, bad: service.create_rest_client().list_training_runs(limit=bad),
        [0, "a", None],
    ),
    (
        "session_id",
        "get_session",
        lambda service, bad: service.create_rest_client().get_session(bad),
        ["", None, 5, ".", ".."],
    ),
    (
        "training_run_id",
        "delete_checkpoint",
        lambda service, bad: service.create_rest_client().delete_checkpoint(bad, "weights/a"),
        ["", None, "."],
    ),
    (
        "checkpoint_id",
        "delete_checkpoint",
        lambda service, bad: service.create_rest_client().delete_checkpoint("run-1", bad),
        ["", None, "..", "weights/.."],
    ),
    (
        "tinker_path",
        "delete_checkpoint",
        lambda service, bad: service.create_rest_client().delete_checkpoint_from_tinker_path(bad),
        [None, "tinker://../weights/a", "tinker://run-1/weights/.", "tinker://run-1/.."],
    ),
]
CASES = [(where, operation, call, bad) for where, operation, call, all_ in BAD for bad in all_]


@pytest.mark.parametrize(("where", "operation", "call", "bad"), CASES)
def test_invalid_argument_raises_and_sends_nothing(
    service: tinker.ServiceClient,
    server: FakeServer,
    where: str,
    operation: str,
    call: Call,
    bad: Any,
) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        call(service, bad)
    assert caught.value.where == where
    assert server.calls(operation) == []
    assert {item.method for item in server.received} <= {"GET", "POST"}


def test_numpy_scalars_are_accepted(service: tinker.ServiceClient, server: FakeServer) -> None:
    options: dict[str, Any] = {"include_prompt_logprobs": np.True_}
    sample(service, np.int64(1), **options).result(10)
    body = server.calls("asample")[0].body
    assert (body["num_samples"], body["prompt_logprobs"]) == (1, True)


def test_loss_fn_config_accepts_any_mapping() -> None:
    assert types.parse_loss_config({"a": np.float32(0.5)}) == {"a": 0.5}  # type: ignore[dict-item]


def test_text_that_is_not_unicode_raises_and_names_the_field(
    service: tinker.ServiceClient,
) -> None:
    with (
        make_client(FakeServer(), user_metadata={"fine": "a", "broken": "\ud800"}) as broken,
        pytest.raises(tinker.InvalidInputError, match=r"^user_metadata\.broken: it can't be"),
    ):
        broken.create_lora_training_client("fake/model")
    params = tinker.SamplingParams(stop=["a", "\ud800"])
    sampler = service.create_sampling_client(base_model="fake/model")
    with pytest.raises(tinker.InvalidInputError, match=r"^sampling_params\.stop\[1\]: it can't be"):
        sampler.sample(PROMPT, 1, params).result(10)
