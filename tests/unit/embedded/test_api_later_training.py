"""Training features of releases after 0.4.1: optimizer settings and losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tinker_api.proto import tinker_public_pb2 as pb

if TYPE_CHECKING:
    from .conftest import Api, OpenApi


@pytest.fixture
def api(latest: Api) -> Api:
    return latest


async def test_load_weights_restores_optimizer_if_requested(open_api: OpenApi) -> None:
    async with open_api("0.24") as api:
        await api.new_model()
        await api.forward_backward(1)
        await api.optim_step(2, learning_rate=0.01)
        named = {"model_id": api.model_id, "seq_id": 3, "path": "a"}
        path = (await api.done("save_weights", **named))["path"]

        async def step_after_loading(number: int, **body: Any) -> tuple[float, float]:
            """The step count, and the loss after the step."""
            await api.new_model(number)
            body = {"model_id": api.model_id, "seq_id": 1, "path": path, **body}
            assert "path" in await api.done("load_weights", **body)
            await api.forward_backward(2)
            step = await api.optim_step(3, learning_rate=0.01)
            after = await api.forward_backward(4)
            return step["metrics"]["optimizer_steps"], after["metrics"]["loss:sum"]

        restored = await step_after_loading(1, optimizer=True)
        reset = await step_after_loading(2, optimizer=False)
        assert (restored[0], reset[0]) == (2, 1)
        assert restored[1] != reset[1], "the moments are restored too"


async def test_weight_decay_and_grad_clip_norm_change_the_weights(open_api: OpenApi) -> None:
    async with open_api("0.24") as api:

        async def step_with(number: int, **adam: Any) -> tuple[float, dict[str, Any]]:
            """The gradient's norm, and the adapter after one step."""
            await api.new_model(number)
            await api.forward_backward(1)
            step = await api.optim_step(2, learning_rate=0.01, **adam)
            model = api.backend.models.find(api.model_id)
            assert model is not None
            return step["metrics"]["grad_norm"], model.trainer.adapter()

        norm, plain = await step_with(0, eps=0.1)
        for number, adam in enumerate(({"weight_decay": 0.5}, {"grad_clip_norm": norm / 2}), 1):
            same, other = await step_with(number, eps=0.1, **adam)
            assert same == norm, "the norm before clipping is returned"
            assert any((other[name] != plain[name]).any() for name in plain), adam
        _, wide = await step_with(3, eps=0.1, grad_clip_norm=2 * norm)
        assert all((wide[name] == plain[name]).all() for name in plain)
        rejected = await api.optim_step(3, weight_decay=-1.0)
        assert "adam_params.weight_decay: must be a finite number" in rejected["error"]
        rejected = await api.optim_step(4, grad_clip_norm=-1.0)
        assert "adam_params.grad_clip_norm: must be a finite number" in rejected["error"]


@pytest.mark.parametrize("loss_fn", ["custom", "unknown"])
async def test_unknown_loss_failure_lists_known_losses(api: Api, loss_fn: str) -> None:
    await api.new_model()
    message = pb.ForwardBackwardRequest(model_id=api.model_id, seq_id=1, loss_fn=loss_fn)
    headers = {"content-type": "application/x-protobuf"}
    response = await api.http.post(
        "/api/v1/forward_backward", content=message.SerializeToString(), headers=headers
    )
    failure = await api.result(response.json()["request_id"])
    assert failure["category"] == "user"
    assert f"unknown loss '{loss_fn}'; known: cross_entropy" in failure["error"]


async def test_unsupported_optimizer_is_rejected_without_blocking_later_requests(api: Api) -> None:
    await api.new_model()
    dimuon = {"type": "dimuon", "learning_rate": 0.1}
    rejected = await api.post(
        "optim_step", model_id=api.model_id, seq_id=1, optimizer_params=dimuon
    )
    assert rejected.status_code == 400
    assert "optimizer_params" in rejected.json()["detail"]
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
