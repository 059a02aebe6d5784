"""Requests run in the order of their sequence numbers, and a repeated number runs once."""

from __future__ import annotations

import asyncio
import threading

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded.execution.scheduler import Model


async def test_repeated_seq_id_returns_the_first_request(api: Api) -> None:
    await api.new_model()
    first = await api.submit("forward_backward", **api.batch(1))
    again = await api.submit("forward_backward", **api.batch(1))
    assert again == first
    once = await api.result(first)
    step = await api.optim_step(2, learning_rate=0.0)
    assert await api.submit("forward_backward", **api.batch(1)) == first, (
        "also after it has completed"
    )

    await api.forward_backward(3)
    alone = await api.optim_step(4, learning_rate=0.0)
    assert step["metrics"]["grad_norm"] == alone["metrics"]["grad_norm"], (
        "the gradients were added once"
    )
    assert await api.result(first) == once


async def test_requests_out_of_order_run_by_seq_id(api: Api) -> None:
    await api.new_model()
    done: list[int] = []

    def submit(number: int) -> str:
        def operation(model: Model) -> dict[str, int]:
            done.append(number)
            return {"number": number}

        return api.backend.models.submit(api.model_id, "note", number, operation)

    requests = [submit(number) for number in (3, 1, 4, 2)]
    responses = [await api.result(request) for request in requests]
    assert done == [1, 2, 3, 4]
    assert responses == [{"number": 3}, {"number": 1}, {"number": 4}, {"number": 2}]


async def test_optim_step_submitted_early_waits_for_forward_backward(api: Api) -> None:
    await api.new_model()
    step = await api.submit(
        "optim_step", model_id=api.model_id, seq_id=2, adam_params={"learning_rate": 0.1}
    )
    await api.submit("forward_backward", **api.batch(1))
    assert (await api.result(step))["metrics"]["grad_norm"] > 0


async def test_missing_seq_id_fails_waiting_requests_after_timeout(open_api: OpenApi) -> None:
    async with open_api(missing_seq_timeout=0.2, poll_seconds=0.05) as api:
        await api.new_model()
        waiting = await api.submit("forward_backward", **api.batch(2))
        poll = await api.post("retrieve_future", request_id=waiting)
        assert poll.json() == {
            "type": "try_again",
            "request_id": waiting,
            "queue_state": "active",
            "queue_state_reason": "waiting for seq_id 1",
        }
        response = await api.result(waiting)
        assert response["category"] == "user"
        assert "seq_id 1, which comes before 2, did not arrive within 0.2 s" in response["error"]

        late = await api.forward_backward(1)
        assert late["category"] == "user"
        assert "seq_id 1 came too late" in late["error"]
        assert "loss_fn_outputs" in await api.forward_backward(3), "later requests run"


async def test_malformed_request_does_not_block_the_next_seq_id(api: Api) -> None:
    await api.new_model()
    bad = await api.post("forward_backward", **{**api.batch(1), "surprise": True})
    assert bad.status_code == 422
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_malformed_request_can_be_resent_with_same_seq_id(api: Api) -> None:
    await api.new_model()
    await api.post("forward_backward", **{**api.batch(1), "surprise": True})
    assert "loss_fn_outputs" in await api.forward_backward(1)


async def test_failed_request_does_not_block_the_next_seq_id(api: Api) -> None:
    await api.new_model()
    assert (await api.forward_backward(1, loss_fn="no such loss"))["category"] == "user"
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_seq_id_reused_by_another_operation_returns_400(api: Api) -> None:
    await api.new_model()
    await api.forward_backward(1)
    response = await api.post("optim_step", model_id=api.model_id, seq_id=1, adam_params={})
    assert response.status_code == 400
    assert response.json() == {"detail": "seq_id 1 was used for a forward_backward request"}


async def test_seq_id_out_of_range_returns_422(api: Api) -> None:
    await api.new_model()
    for number in (0, -1, 2**60):
        response = await api.post("forward_backward", **api.batch(number))
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"] == ["body", "seq_id"]
    reply = await api.post("forward_backward", **{**api.batch(1), "seq_id": 1.0})
    assert reply.status_code == 200, "1.0 is an integer in JSON"


async def test_requests_without_seq_id_run_in_order_of_arrival(api: Api) -> None:
    await api.new_model()
    gradients = await api.submit("forward_backward", **api.batch(None))
    step = await api.submit("optim_step", model_id=api.model_id, adam_params={})
    assert gradients != await api.submit("forward_backward", **api.batch(None))
    assert (await api.result(step))["metrics"]["grad_norm"] > 0


async def test_repeated_model_seq_id_creates_one_model(api: Api) -> None:
    session = await api.new_session()
    body = {"session_id": session, "base_model": "embedded/tiny", "lora_config": {"rank": 2}}
    first = await api.submit("create_model", model_seq_id=0, **body)
    assert await api.submit("create_model", model_seq_id=0, **body) == first
    other = await api.submit("create_model", model_seq_id=1, **body)
    assert (await api.result(first))["model_id"] != (await api.result(other))["model_id"]
    runs = (await api.get("training_runs")).json()
    assert runs["cursor"]["total_count"] == 2


async def test_repeated_sample_seq_id_samples_once(api: Api) -> None:
    session = await api.new_session()
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "embedded/tiny"}
    sampler = (await api.post("create_sampling_session", **body)).json()["sampling_session_id"]
    again = (await api.post("create_sampling_session", **body)).json()["sampling_session_id"]
    assert again == sampler

    body = api.sample_body(sampling_session_id=sampler, sampling_params={"max_tokens": 8})
    first = await api.submit("asample", seq_id=0, **body)
    assert await api.submit("asample", seq_id=0, **body) == first
    response = await api.result(first)
    assert await api.submit("asample", seq_id=0, **body) == first
    other = await api.submit("asample", seq_id=1, **body)
    assert other != first
    await api.result(other)  # samples complete in order, so earlier ones have completed
    assert await api.result(first) == response


async def test_missing_seq_id_of_one_model_does_not_block_another(api: Api) -> None:
    stuck = await api.new_model(0)
    await api.submit("forward_backward", **{**api.batch(5), "model_id": stuck})
    await api.new_model(1)
    assert "loss_fn_outputs" in await api.forward_backward(1)


async def test_server_responds_during_a_long_operation(api: Api) -> None:
    await api.new_model()
    started, release = threading.Event(), threading.Event()

    def slow(model: Model) -> dict[str, int]:
        started.set()
        assert release.wait(30)
        return {}

    request = api.backend.models.submit(api.model_id, "slow", 1, slow)
    await asyncio.to_thread(started.wait, 30)
    assert (await api.get("healthz")).json() == {"status": "ok"}
    queued = await api.submit("forward_backward", **api.batch(2))
    release.set()
    assert await api.result(request) == {}
    assert "loss_fn_outputs" in await api.result(queued)
