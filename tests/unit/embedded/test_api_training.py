"""Models are created, trained and given up; a mistake names the datum and the field."""

from __future__ import annotations

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


async def test_the_output_has_one_record_per_datum(api: Api) -> None:
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


async def test_forward_leaves_gradients_alone(api: Api) -> None:
    await api.new_model()
    given = api.batch(1)["forward_backward_input"]
    response = await api.done("forward", model_id=api.model_id, seq_id=1, forward_input=given)
    assert len(response["loss_fn_outputs"]) == 2
    assert (await api.optim_step(2))["metrics"]["grad_norm"] == 0


async def test_a_seed_makes_models_alike(api: Api) -> None:
    outputs = []
    for number in range(2):
        await api.new_model(number, seed=5)
        await api.forward_backward(1)
        await api.optim_step(2, learning_rate=0.01)
        outputs.append(await api.forward_backward(3))
    assert outputs[0] == outputs[1]


SHORT = {"data": [1.0], "dtype": "float32"}


@pytest.mark.parametrize(
    ("change", "named"),
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
async def test_bad_loss_inputs_fail_with_datum_and_field(
    api: Api, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    await api.new_model()
    body = api.batch(1)
    given = body["forward_backward_input"]
    given["data"] = [_copied(item) for item in given["data"]]
    change(given)
    response = await api.done("forward_backward", **body)
    assert response["category"] == "user"
    assert named in response["error"]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


async def test_an_unknown_base_model_fails_and_says_what_there_is(api: Api) -> None:
    response = await api.done(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="other/model",
        lora_config={"rank": 2},
    )
    assert response == {
        "error": "base_model: there is no 'other/model' here, only embedded/tiny",
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
async def test_an_impossible_adapter_fails(api: Api, lora: dict[str, Any]) -> None:
    response = await api.done(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config=lora,
    )
    assert response["category"] == "user"
    assert "lora_config" in response["error"]


async def test_full_fine_tuning_is_refused(api: Api) -> None:
    response = await api.post(
        "create_model",
        session_id=await api.new_session(),
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config=None,
    )
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "lora_config"]


async def test_unknown_sessions_and_models_are_not_found(api: Api) -> None:
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


async def test_get_info_names_a_tokenizer_that_is_there(api: Api) -> None:
    from tokenizers import Tokenizer

    await api.new_model(rank=3)
    info = (await api.post("get_info", model_id=api.model_id)).json()
    assert (info["model_id"], info["is_lora"], info["lora_rank"]) == (api.model_id, True, 3)
    folder = info["model_data"]["tokenizer_id"]
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    assert tokenizer.decode(tokenizer.encode("Grüße").ids) == "Grüße"


async def test_an_unloaded_model_can_only_be_loaded_into(api: Api) -> None:
    await api.new_model()
    saved = await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    response = await api.done("unload_model", model_id=api.model_id)
    assert response == {"type": "unload_model", "model_id": api.model_id}
    failed = await api.forward_backward(2)
    assert failed["category"] == "user"
    assert "was unloaded" in failed["error"]
    assert saved["path"] in failed["error"], "the way to go on"
    await api.done("load_weights", model_id=api.model_id, seq_id=3, path=saved["path"])
    assert "loss_fn_outputs" in await api.forward_backward(4)


async def test_the_model_used_least_makes_room(open_api: OpenApi) -> None:
    async with open_api(max_loaded=2) as api:
        models = [await api.new_model(number) for number in range(2)]
        api.model_id = models[0]
        await api.forward_backward(1)
        await api.new_model(2)
        api.model_id = models[1]
        assert "made room for newer ones" in (await api.forward_backward(1))["error"]
        api.model_id = models[0]
        assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_sessions_keep_what_they_were_given(api: Api) -> None:
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


async def test_metadata_comes_back_as_text(api: Api) -> None:
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


def test_arrays_of_whole_numbers_written_as_floats() -> None:
    from tinker_ext.embedded.execution import arrays

    array = arrays.tensor({"data": [1.0, 2.0], "dtype": "int64"}, where="x")
    assert array.dtype == np.int64
    empty = arrays.tensor({"data": [], "dtype": "int64", "shape": [0]}, where="x")
    assert empty.shape == (0,)
