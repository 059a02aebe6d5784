"""Models are created, trained and unloaded; errors name the datum and the field."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.embedded.conftest import Api, OpenApi


async def test_training_lowers_the_loss(api: Api) -> None:
    await api.new_model()
    losses = []
    for step in range(6):
        response = await api.forward_backward(2 * step + 1)
        losses.append(response["metrics"]["loss:sum"])
        await api.optim_step(2 * step + 2, learning_rate=0.01)
    assert losses[-1] < 0.8 * losses[0]


async def test_forward_backward_returns_one_record_per_datum(api: Api) -> None:
    await api.new_model()
    response = await api.forward_backward(1)
    assert response["loss_fn_output_type"] == "ArrayRecord"
    assert len(response["loss_fn_outputs"]) == 2
    logprobs = response["loss_fn_outputs"][0]["logprobs"]
    size = len(api.datum()["model_input"]["chunks"][0]["tokens"])
    assert (logprobs["dtype"], logprobs["shape"], len(logprobs["data"])) == (
        "float32",
        [size],
        size,
    )
    assert sum(logprobs["data"]) * -2 == pytest.approx(response["metrics"]["loss:sum"], rel=1e-4)


async def test_forward_adds_no_gradients(api: Api) -> None:
    await api.new_model()
    params = api.batch(1)["forward_backward_input"]
    response = await api.done("forward", model_id=api.model_id, seq_id=1, forward_input=params)
    assert len(response["loss_fn_outputs"]) == 2
    assert (await api.optim_step(2))["metrics"]["grad_norm"] == 0


async def test_equal_seeds_give_equal_models(api: Api) -> None:
    outputs = []
    for number in range(2):
        await api.new_model(number, seed=5)
        await api.forward_backward(1)
        await api.optim_step(2, learning_rate=0.01)
        outputs.append(await api.forward_backward(3))
    assert outputs[0] == outputs[1]


SHORT = {"data": [1.0], "dtype": "float32"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b: b["data"][1]["loss_fn_inputs"].pop("target_tokens"), "data[1]"),
        (
            lambda b: b["data"][1]["loss_fn_inputs"].update(weights=SHORT),
            "data[1].loss_fn_inputs['weights']",
        ),
        (
            lambda b: b["data"][0]["loss_fn_inputs"]["weights"].update(shape=[3, 3]),
            "data[0].loss_fn_inputs['weights']",
        ),
        (
            lambda b: b["data"][0]["loss_fn_inputs"]["weights"]["data"].__setitem__(0, 1e300),
            "data[0].loss_fn_inputs['weights']",
        ),
        (
            lambda b: b["data"][0]["loss_fn_inputs"]["target_tokens"]["data"].__setitem__(0, 1.5),
            "data[0].loss_fn_inputs['target_tokens']",
        ),
        (
            lambda b: b["data"][0]["loss_fn_inputs"]["target_tokens"]["data"].__setitem__(0, 9999),
            "data[0].loss_fn_inputs['target_tokens']",
        ),
        (
            lambda b: b["data"][1]["model_input"]["chunks"][0]["tokens"].__setitem__(0, 10**30),
            "data[1].model_input",
        ),
        (
            lambda b: b["data"][1]["model_input"]["chunks"].append(
                {"data": "", "format": "png", "height": 1, "width": 1, "tokens": 1}
            ),
            "data[1].model_input.chunks[1]",
        ),
        (lambda b: b["data"][1]["model_input"]["chunks"].clear(), "data[1].model_input"),
        (lambda b: b["data"].clear(), "data"),
        (lambda b: b.update(loss_fn="no such loss"), "no such loss"),
        (lambda b: b.update(loss_fn_config={"no such setting": 1.0}), "no such setting"),
    ],
)
async def test_invalid_loss_input_names_datum_and_field(
    api: Api, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    await api.new_model()
    body = api.batch(1)
    params = body["forward_backward_input"]
    params["data"] = [copy.deepcopy(datum) for datum in params["data"]]
    change(params)
    response = await api.done("forward_backward", **body)
    assert response["category"] == "user"
    assert expected in response["error"]


async def test_unknown_base_model_failure_lists_known_models(api: Api) -> None:
    response = await api.done(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="other/model",
        lora_config={"rank": 2},
    )
    assert response == {
        "error": "base_model: unknown model 'other/model'; this server has embedded/tiny",
        "category": "user",
    }
    model_id = f"{api.session_id}:train:0"
    api.model_id = model_id
    assert "was never created" in (await api.forward_backward(1))["error"]
    assert (await api.get(f"training_runs/{model_id}")).status_code == 404


@pytest.mark.parametrize(
    "lora",
    [
        {"rank": 0},
        {"rank": 10**9},
        {"rank": 2, "train_attn": False, "train_mlp": False, "train_unembed": False},
    ],
)
async def test_invalid_lora_config_fails(api: Api, lora: dict[str, Any]) -> None:
    response = await api.done(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config=lora,
    )
    assert response["category"] == "user"
    assert "lora_config" in response["error"]


async def test_create_model_without_lora_config_returns_422(api: Api) -> None:
    response = await api.post(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config=None,
    )
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "lora_config"]


async def test_unknown_session_or_model_returns_404(api: Api) -> None:
    for operation, body in (
        ("session_heartbeat", {"session_id": "x"}),
        (
            "create_model",
            {
                "session_id": "x",
                "model_seq_id": 0,
                "base_model": "embedded/tiny",
                "lora_config": {"rank": 1},
            },
        ),
        ("create_sampling_session", {"session_id": "x", "sampling_session_seq_id": 0}),
        ("get_info", {"model_id": "x"}),
        ("unload_model", {"model_id": "x"}),
        ("optim_step", {"model_id": "x", "adam_params": {}}),
    ):
        response = await api.post(operation, **body)
        assert response.status_code == 404, operation
        assert "'x'" in response.json()["detail"]


async def test_image_or_audio_is_rejected_by_name(api: Api) -> None:
    await api.new_model()
    image = {"type": "image", "data": "eA==", "format": "png", "height": 1, "width": 1, "tokens": 1}
    datum = api.datum()
    datum["model_input"]["chunks"].append(image)
    failure = await api.result(await api.submit("forward_backward", **api.batch(1, data=[datum])))
    assert failure["category"] == "user"
    assert failure["error"].startswith(
        "data[0].model_input.chunks[1]: this model reads text, not image: the embedded models have "
        "no vision or audio encoder"
    )
    sample = api.sample_body(base_model="embedded/tiny", prompt={"chunks": [image]})
    failure = await api.result(await api.submit("asample", **sample))
    assert failure["error"].startswith("prompt.chunks[0]: this model reads text, not image")


async def test_targets_of_shape_n_k_give_logprobs_of_the_same_shape(api: Api) -> None:
    await api.new_model()
    size = len(api.datum()["model_input"]["chunks"][0]["tokens"])
    targets = {"data": [1, 2] * size, "dtype": "int64", "shape": [size, 2]}
    weights = {"data": [0.75, 0.25] * size, "dtype": "float32", "shape": [size, 2]}
    data = [api.datum(target_tokens=targets, weights=weights), api.datum()]
    result = await api.forward_backward(1, data=data)
    shapes = [output["logprobs"]["shape"] for output in result["loss_fn_outputs"]]
    assert shapes == [[size, 2], [size]]
    assert result["metrics"]["weights:sum"] == pytest.approx(2 * size)


async def test_get_info_returns_path_of_existing_tokenizer(api: Api) -> None:
    from tokenizers import Tokenizer

    await api.new_model(rank=3)
    info = (await api.post("get_info", model_id=api.model_id)).json()
    assert (info["model_id"], info["is_lora"], info["lora_rank"]) == (api.model_id, True, 3)
    assert info["lora_alpha"] == 8
    path = (await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a"))["path"]
    assert (await api.post("weights_info", tinker_path=path)).json()["lora_alpha"] == 8
    folder = info["model_data"]["tokenizer_id"]
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    assert tokenizer.decode(tokenizer.encode("Grüße").ids) == "Grüße"


async def test_unloaded_model_fails_until_weights_are_loaded(api: Api) -> None:
    await api.new_model()
    saved = await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    response = await api.done("unload_model", model_id=api.model_id)
    assert response == {"type": "unload_model", "model_id": api.model_id}
    failed = await api.forward_backward(2)
    assert failed["category"] == "user"
    assert "was unloaded" in failed["error"]
    assert saved["path"] in failed["error"], "the message names the checkpoint to load"
    await api.done("load_weights", model_id=api.model_id, seq_id=3, path=saved["path"])
    assert "loss_fn_outputs" in await api.forward_backward(4)


async def test_least_recently_used_model_is_unloaded_beyond_the_limit(open_api: OpenApi) -> None:
    async with open_api(max_loaded=2) as api:
        models = [await api.new_model(number) for number in range(2)]
        api.model_id = models[0]
        await api.forward_backward(1)
        await api.new_model(2)
        api.model_id = models[1]
        assert "was unloaded for a newer one" in (await api.forward_backward(1))["error"]
        api.model_id = models[0]
        assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_session_stores_metadata_heartbeat_and_telemetry_count(api: Api) -> None:
    response = await api.post(
        "create_session", tags=["a", "b"], user_metadata={"who": ["me"]}, sdk_version="1.2"
    )
    session_id = response.json()["session_id"]
    events = [
        {
            "event": "GENERIC_EVENT",
            "event_id": "1",
            "event_session_index": 0,
            "severity": "INFO",
            "timestamp": "2025-01-01T00:00:00Z",
            "event_name": "x",
            "event_data": {},
        }
    ] * 3
    for _ in range(2):
        sent = await api.post(
            "telemetry", events=events, platform="x", sdk_version="1.2", session_id=session_id
        )
        assert sent.json() == {"status": "accepted"}
    record = api.backend.sessions.get(session_id)
    assert record is not None
    assert (record.tags, record.user_metadata) == (["a", "b"], {"who": ["me"]})
    assert (record.sdk_version, record.telemetry_events) == ("1.2", 6)
    assert (await api.post("session_heartbeat", session_id=session_id)).status_code == 200
    later = api.backend.sessions.get(session_id)
    assert later is not None
    assert later.last_heartbeat > record.last_heartbeat


async def test_user_metadata_is_returned_as_text(api: Api) -> None:
    response = await api.done(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config={"rank": 1},
        user_metadata={"text": "a", "number": 7, "list": [1]},
    )
    run = (await api.get(f"training_runs/{response['model_id']}")).json()
    assert run["user_metadata"] == {"text": "a", "number": "7", "list": "[1]"}


def test_int64_tensor_accepts_integral_floats_and_empty_data() -> None:
    from tinker_ext.embedded.execution.arrays import decode_tensor

    array = decode_tensor({"data": [1.0, 2.0], "dtype": "int64"}, where="x")
    assert array.dtype == np.int64
    empty = decode_tensor({"data": [], "dtype": "int64", "shape": [0]}, where="x")
    assert empty.shape == (0,)
