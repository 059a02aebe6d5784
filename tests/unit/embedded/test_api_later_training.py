"""What releases after 0.4.1 added to training: optimizer settings, losses, a fresh start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tinker_api.proto import tinker_public_pb2 as pb

if TYPE_CHECKING:
    from .conftest import Api, OpenApi


@pytest.fixture
def api(latest: Api) -> Api:
    return latest


async def test_loading_takes_the_optimizer_along_where_asked(open_api: OpenApi) -> None:
    async with open_api("0.24") as api:
        await api.new_model()
        await api.forward_backward(1)
        await api.optim_step(2, learning_rate=0.01)
        named = {"model_id": api.model_id, "seq_id": 3, "path": "a"}
        path = (await api.done("save_weights", **named))["path"]

        async def step_after_loading(number: int, **body: Any) -> tuple[float, float]:
            """The steps counted, and the loss where the step led."""
            await api.new_model(number)
            body = {"model_id": api.model_id, "seq_id": 1, "path": path, **body}
            assert "path" in await api.done("load_weights", **body)
            await api.forward_backward(2)
            step = await api.optim_step(3, learning_rate=0.01)
            after = await api.forward_backward(4)
            return step["metrics"]["step"], after["metrics"]["loss:sum"]

        kept = await step_after_loading(1, optimizer=True)
        anew = await step_after_loading(2, optimizer=False)
        assert (kept[0], anew[0]) == (2, 1)
        assert kept[1] != anew[1], "the moments count too"


async def test_weight_decay_and_clipping_reach_the_weights(open_api: OpenApi) -> None:
    async with open_api("0.24") as api:

        async def stepped(number: int, **adam: Any) -> tuple[float, dict[str, Any]]:
            """The gradient's norm, and the adapter after one step."""
            await api.new_model(number)
            await api.forward_backward(1)
            step = await api.optim_step(2, learning_rate=0.01, **adam)
            model = api.backend.models.find(api.model_id)
            assert model is not None
            return step["metrics"]["grad_norm"], model.trainer.adapter()

        norm, plain = await stepped(0, eps=0.1)
        for number, adam in enumerate(({"weight_decay": 0.5}, {"grad_clip_norm": norm / 2}), 1):
            same, other = await stepped(number, eps=0.1, **adam)
            assert same == norm, "it is told as it was"
            assert any((other[name] != plain[name]).any() for name in plain), adam
        _, wide = await stepped(3, eps=0.1, grad_clip_norm=2 * norm)
        assert all((wide[name] == plain[name]).all() for name in plain)
        refused = await api.optim_step(3, weight_decay=-1.0)
        assert "adam_params.weight_decay: must be a finite number" in refused["error"]
        refused = await api.optim_step(4, grad_clip_norm=-1.0)
        assert "adam_params.grad_clip_norm: must be a finite number" in refused["error"]


@pytest.mark.parametrize("loss_fn", ["gspo", "stable_reinforce", "custom"])
async def test_losses_there_are_not_are_told_with_those_there_are(api: Api, loss_fn: str) -> None:
    await api.new_model()
    message = pb.ForwardBackwardRequest(model_id=api.model_id, seq_id=1, loss_fn=loss_fn)
    headers = {"content-type": "application/x-protobuf"}
    response = await api.http.post(
        "/api/v1/forward_backward", content=message.SerializeToString(), headers=headers
    )
    failure = await api.result(response.json()["request_id"])
    assert failure["category"] == "user"
    assert f"unknown loss '{loss_fn}'; there are cross_entropy" in failure["error"]


async def test_optimizers_there_are_not_are_refused_and_hold_nothing_up(api: Api) -> None:
    await api.new_model()
    dimuon = {"type": "dimuon", "learning_rate": 0.1}
    refused = await api.post("optim_step", model_id=api.model_id, seq_id=1, optimizer_params=dimuon)
    assert refused.status_code == 400
    assert "optimizer_params" in refused.json()["detail"]
    step = {"model_id": api.model_id, "seq_id": 2, "adam_params": {}}
    assert "metrics" in await api.done("optim_step", **step)
    other = await api.post(
        "create_model",
        session_id=api.session_id,
        model_seq_id=1,
        base_model="embedded/tiny",
        lora_config={"rank": 1},
        optimizer_config={"type": "dimuon", "version": 1},
    )
    assert other.status_code == 400
