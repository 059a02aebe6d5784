"""Numbers decide the order; a number stands for one piece of work."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.embedded.conftest import Api, OpenApi
    from tinker_ext.embedded.execution.model import Model


async def test_a_repeated_number_is_answered_by_the_first(api: Api) -> None:
    await api.new_model()
    first = await api.submit("forward_backward", **api.batch(1))
    again = await api.submit("forward_backward", **api.batch(1))
    assert again == first
    once = await api.result(first)
    step = await api.optim_step(2, learning_rate=0.0)
    assert await api.submit("forward_backward", **api.batch(1)) == first, "also when it is done"

    await api.forward_backward(3)
    alone = await api.optim_step(4, learning_rate=0.0)
    assert step["metrics"]["grad_norm"] == alone["metrics"]["grad_norm"], "gradients came once"
    assert await api.result(first) == once


async def test_numbers_out_of_order_are_put_in_order(api: Api) -> None:
    await api.new_model()
    done: list[int] = []

    def note(number: int) -> str:
        def act(model: Model) -> dict[str, int]:
            done.append(number)
            return {"number": number}

        return api.backend.models.submit(api.model_id, "note", number, act)

    requests = [note(number) for number in (3, 1, 4, 2)]
    responses = [await api.result(request) for request in requests]
    assert done == [1, 2, 3, 4]
    assert responses == [{"number": 3}, {"number": 1}, {"number": 4}, {"number": 2}]


async def test_an_optimizer_step_that_overtook_waits_for_its_gradients(api: Api) -> None:
    await api.new_model()
    step = await api.submit(
        "optim_step", model_id=api.model_id, seq_id=2, adam_params={"learning_rate": 0.1}
    )
    await api.submit("forward_backward", **api.batch(1))
    assert (await api.result(step))["metrics"]["grad_norm"] > 0


async def test_a_number_that_never_comes_fails_what_waits_for_it(open_api: OpenApi) -> None:
    async with open_api(gap_seconds=0.2, poll_seconds=0.05) as api:
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
        assert "loss_fn_outputs" in await api.forward_backward(3), "and then it goes on"


async def test_a_malformed_request_does_not_hold_up_the_next(api: Api) -> None:
    await api.new_model()
    bad = await api.post("forward_backward", **{**api.batch(1), "surprise": True})
    assert bad.status_code == 422
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_a_malformed_request_can_be_corrected_under_its_number(api: Api) -> None:
    await api.new_model()
    await api.post("forward_backward", **{**api.batch(1), "surprise": True})
    assert "loss_fn_outputs" in await api.forward_backward(1)


async def test_a_failed_request_counts_as_done(api: Api) -> None:
    await api.new_model()
    assert (await api.forward_backward(1, loss_fn="no such loss"))["category"] == "user"
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_a_number_belongs_to_one_kind_of_request(api: Api) -> None:
    await api.new_model()
    await api.forward_backward(1)
    response = await api.post("optim_step", model_id=api.model_id, seq_id=1, adam_params={})
    assert response.status_code == 400
    assert response.json() == {"detail": "seq_id 1 was used for a forward_backward request"}


async def test_numbers_start_at_one(api: Api) -> None:
    await api.new_model()
    for number in (0, -1, 2**60):
        response = await api.post("forward_backward", **api.batch(number))
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"] == ["body", "seq_id"]
    reply = await api.post("forward_backward", **{**api.batch(1), "seq_id": 1.0})
    assert reply.status_code == 200, "JSON has one kind of number"


async def test_requests_without_numbers_are_done_as_they_come(api: Api) -> None:
    await api.new_model()
    gradients = await api.submit("forward_backward", **api.batch(None))
    step = await api.submit("optim_step", model_id=api.model_id, adam_params={})
    assert gradients != await api.submit("forward_backward", **api.batch(None))
    assert (await api.result(step))["metrics"]["grad_norm"] > 0


async def test_a_model_is_created_once_per_session_and_number(api: Api) -> None:
    session = await api.new_session()
    body = {"session_id": session, "base_model": "embedded/tiny", "lora_config": {"rank": 2}}
    first = await api.submit("create_model", model_seq_id=0, **body)
    assert await api.submit("create_model", model_seq_id=0, **body) == first
    other = await api.submit("create_model", model_seq_id=1, **body)
    assert (await api.result(first))["model_id"] != (await api.result(other))["model_id"]
    runs = (await api.get("training_runs")).json()
    assert runs["cursor"]["total_count"] == 2


async def test_a_sample_is_drawn_once_per_session_and_number(api: Api) -> None:
    session = await api.new_session()
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "embedded/tiny"}
    sampler = (await api.post("create_sampling_session", **body)).json()["sampling_session_id"]
    again = (await api.post("create_sampling_session", **body)).json()["sampling_session_id"]
    assert again == sampler

    ask = api.sample_body(sampling_session_id=sampler, sampling_params={"max_tokens": 8})
    first = await api.submit("asample", seq_id=0, **ask)
    assert await api.submit("asample", seq_id=0, **ask) == first
    response = await api.result(first)
    assert await api.submit("asample", seq_id=0, **ask) == first
    other = await api.submit("asample", seq_id=1, **ask)
    assert other != first
    await api.result(other)  # whatever came before it has been drawn by now
    assert await api.result(first) == response


async def test_models_do_not_wait_for_each_other(api: Api) -> None:
    """One has a gap in its numbers; the other goes on."""
    stuck = await api.new_model(0)
    await api.submit("forward_backward", **{**api.batch(5), "model_id": stuck})
    await api.new_model(1)
    assert "loss_fn_outputs" in await api.forward_backward(1)


async def test_the_server_answers_while_it_computes(api: Api) -> None:
    await api.new_model()
    started, release = threading.Event(), threading.Event()

    def slow(model: Model) -> dict[str, int]:
        started.set()
        assert release.wait(30)
        return {}

    request = api.backend.models.submit(api.model_id, "slow", 1, slow)
    await asyncio.to_thread(started.wait, 30)
    assert (await api.get("healthz")).json() == {"status": "ok"}
    behind = await api.submit("forward_backward", **api.batch(2))
    release.set()
    assert await api.result(request) == {}
    assert "loss_fn_outputs" in await api.result(behind)
