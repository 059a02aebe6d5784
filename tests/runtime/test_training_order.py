"""The order and sequence numbers of a training client's requests."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import announce, datum
from tests.waiting import comes_true
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client


def seq_ids(server: FakeServer, *operations: str) -> list[int]:
    return [
        item.body["seq_id"] for item in server.received if item.path in operations and item.body
    ]


ORDERED = ("forward", "forward_backward", "optim_step", "save_weights", "load_weights")


def test_requests_arrive_in_the_order_of_the_calls() -> None:
    server = FakeServer()
    # The server accepts the first one slowly; no other request may overtake it.
    server.respond("forward_backward", Reply(200, {"request_id": "slow"}, delay=0.1))
    server.results["slow"] = {"loss_fn_outputs": [{}], "metrics": {}, "loss_fn_output_type": ""}
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        futures: list[tinker.APIFuture[Any]] = [
            training.forward_backward([datum(4)], "cross_entropy"),
            training.optim_step(tinker.AdamParams()),
            training.save_state("a"),
            training.forward([datum(4)], "cross_entropy"),
        ]
        for future in futures:
            future.result(10)
    paths = [item.path for item in server.received if item.path in ORDERED]
    assert paths == ["forward_backward", "optim_step", "save_weights", "forward"]
    assert seq_ids(server, *ORDERED) == [1, 2, 3, 4]


def test_calls_from_several_threads_get_consecutive_seq_ids() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        futures: list[tinker.APIFuture[tinker.OptimStepResponse]] = []

        def work() -> None:
            for _ in range(20):
                futures.append(training.optim_step(tinker.AdamParams()))

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for future in futures:
            future.result(10)
    assert seq_ids(server, "optim_step") == list(range(1, 101))


def test_rejected_request_frees_its_seq_id() -> None:
    server = FakeServer()
    server.respond("forward_backward", Reply(422, {"detail": "no"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        refused = training.forward_backward([datum(4)], "cross_entropy")
        update = training.optim_step(tinker.AdamParams())
        update.result(10)
        with pytest.raises(tinker.UnprocessableEntityError):
            refused.result(10)
    assert seq_ids(server, "forward_backward", "optim_step") == [1, 1]


def test_seq_id_of_a_request_without_response_is_not_reused() -> None:
    server = FakeServer()
    server.respond("optim_step", *[httpx.ReadError("gone")] * 50)
    with make_client(server, retry_window=0.3) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.APIConnectionError):
            training.optim_step(tinker.AdamParams()).result(10)
        server._scripted.clear()
        training.optim_step(tinker.AdamParams()).result(10)
    numbers = seq_ids(server, "optim_step")
    assert set(numbers[:-1]) == {1}
    assert numbers[-1] == 2


def test_retried_request_keeps_seq_id_and_idempotency_key() -> None:
    server = FakeServer()
    server.respond("optim_step", Reply(503), Reply(500), httpx.ConnectError("no"))
    with make_client(server, clock=SimulatedTime().clock) as service:
        training = service.create_lora_training_client("fake/model")
        training.optim_step(tinker.AdamParams()).result(30)
    calls = server.calls("optim_step")
    assert len(calls) == 4
    assert {call.body["seq_id"] for call in calls} == {1}
    assert len({call.headers["x-idempotency-key"] for call in calls}) == 1


def test_cancelled_request_does_not_block_the_next() -> None:
    server = FakeServer()
    server.respond("forward_backward", Reply(200, {"request_id": "never"}, delay=0.2))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        first = training.forward_backward([datum(4)], "cross_entropy")
        second = training.optim_step(tinker.AdamParams())
        third = training.optim_step(tinker.AdamParams())
        assert comes_true(lambda: server.calls("forward_backward"))
        assert second.cancel()
        assert first.cancel()
        third.result(10)
    # The first was already sent, so its number is used; the second was not sent.
    assert seq_ids(server, "forward_backward", "optim_step") == [1, 2]


def test_deadline_while_a_request_is_sent_ends_its_call_and_not_the_request() -> None:
    server = FakeServer()
    server.respond("forward_backward", Reply(200, {"request_id": "slow"}, delay=0.4))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with tinker.deadline(0.1):
            first = training.forward_backward([datum(4)], "cross_entropy")
        with pytest.raises(tinker.DeadlineExceededError):
            first.result(10)
        training.optim_step(tinker.AdamParams()).result(10)
    # The request was sent once, and its result is not awaited.
    assert seq_ids(server, "forward_backward", "optim_step") == [1, 2]
    assert "slow" not in [call.body["request_id"] for call in server.calls("retrieve_future")]


def test_large_batch_is_split_and_its_results_are_merged() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        data = [datum(3 + index % 5) for index in range(300)]
        output = training.forward_backward(data, "cross_entropy").result(30)
    assert [
        len(call.body["forward_backward_input"]["data"])
        for call in server.calls("forward_backward")
    ] == [128, 128, 44]
    assert seq_ids(server, "forward_backward") == [1, 2, 3]
    lengths = [len(loss_fn_output["logprobs"].data) for loss_fn_output in output.loss_fn_outputs]
    assert lengths == [3 + index % 5 for index in range(300)]
    assert output.metrics == {"loss:sum": float(sum(lengths))}


@pytest.mark.parametrize("parallel", [False, True], ids=["sequential", "parallel"])
@pytest.mark.parametrize("refused_at", ["submission", "result"])
@pytest.mark.parametrize("operation", ["forward", "forward_backward"])
def test_error_of_one_chunk_mentions_gradients_of_the_other_chunks(
    parallel: bool, refused_at: str, operation: str
) -> None:
    server = FakeServer()
    announce(server, parallel_fwdbwd_chunks=parallel, fwdbwd_max_chunk_len=1)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        call = getattr(training, operation)
        call([datum(4)], "cross_entropy").result(30)  # Negotiates the protocol.
        if refused_at == "submission":
            server.respond(
                operation, server.default_reply, server.default_reply, Reply(422, {"detail": "no"})
            )
        else:
            failed = {"type": "request_failed", "error": "no", "category": "user"}
            server.respond("retrieve_future", Reply(200, failed))
        with pytest.raises(tinker.TinkerError) as caught:
            call([datum(4)] * 3, "cross_entropy").result(30)
    hint = (
        "3 requests, and the server accepted 2 others: unless they also fail, the next optim_step"
    )
    assert (hint in str(caught.value)) == (operation == "forward_backward")


def test_error_of_a_batch_without_accepted_chunks_mentions_no_gradients() -> None:
    server = FakeServer()
    announce(server, parallel_fwdbwd_chunks=False, fwdbwd_max_chunk_len=1)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("forward_backward", Reply(422, {"detail": "no"}))
        error = training.forward_backward([datum(4)] * 3, "cross_entropy").exception(30)
    assert isinstance(error, tinker.UnprocessableEntityError)
    assert "optim_step" not in str(error)


def test_invalid_datum_raises_at_once_and_sends_nothing() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        bad = tinker.Datum(
            model_input=tinker.ModelInput.from_ints([1, 2, 3]),
            loss_fn_inputs={"target_tokens": [1, 2, 3], "weights": np.array([1, np.nan, 1.0])},
        )
        with pytest.raises(
            tinker.InvalidInputError, match=r"data\[1\].loss_fn_inputs\['weights'\]"
        ):
            training.forward_backward([datum(4), bad], "cross_entropy")
        with pytest.raises(tinker.InvalidInputError, match="data"):
            training.forward_backward([], "cross_entropy")
        training.optim_step(tinker.AdamParams()).result(10)
    assert seq_ids(server, *ORDERED) == [1]


def test_failed_operation_does_not_block_the_next() -> None:
    server = FakeServer()
    failed = server.submitted({"error": "out of memory", "category": "server"})
    server.respond("forward_backward", failed)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        first = training.forward_backward([datum(4)], "cross_entropy")
        second = training.optim_step(tinker.AdamParams())
        assert second.result(10).metrics == {}
        with pytest.raises(tinker.RequestFailedError) as caught:
            first.result(10)
    assert caught.value.category is tinker.RequestErrorCategory.SERVER
    assert caught.value.request_id == "request-1"


def test_custom_losses_run_on_the_waiting_thread_and_keep_their_place() -> None:
    server = FakeServer()
    ran_on: list[str] = []

    def loss(
        data: list[tinker.Datum], logprobs: list[np.ndarray]
    ) -> tuple[float, list[np.ndarray], dict[str, float]]:
        ran_on.append(threading.current_thread().name)
        return 3.5, [np.full_like(logprob, 2.0) for logprob in logprobs], {"mine": 1.0}

    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        custom = training.forward_backward_custom([datum(4)], loss, arrays="numpy")
        update = training.optim_step(tinker.AdamParams())
        # Waiting for the later request is enough to get the loss computed.
        update.result(10)
        output = custom.result(10)
    assert ran_on == [threading.current_thread().name]
    paths = [item.path for item in server.received if item.path in ORDERED]
    assert paths == ["forward", "forward_backward", "optim_step"]
    assert seq_ids(server, *ORDERED) == [1, 2, 3]
    sent = server.calls("forward_backward")[0].body["forward_backward_input"]["data"][0]
    assert sent["loss_fn_inputs"]["weights"]["data"] == [-2.0] * 4
    assert output.metrics == {"surrogate_loss:sum": 4.0, "loss:sum": 3.5, "mine": 1.0}


def test_custom_loss_runs_for_a_program_that_only_polls_done() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom(
            [datum(4)], lambda data, logprobs: (0.0, logprobs, {}), arrays="numpy"
        )
        assert comes_true(future.done, within=10)
        assert future.result().metrics["loss:sum"] == 0.0


def test_loss_that_is_not_a_function_is_rejected_before_sending() -> None:
    server = FakeServer()
    none: Any = None
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.InvalidInputError, match="a function, got NoneType") as caught:
            training.forward_backward_custom([datum(4)], none, arrays="numpy")
    assert caught.value.where == "loss_fn"
    assert server.calls("forward") == []


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda grads: (0.0, {}), r"\(loss, gradients, metrics\), got \(float, dict\)"),
        (lambda grads: (0.0, grads), r"got \(float, list\)"),
        (lambda grads: (0.0, {}, grads), r"got \(float, dict, list\)"),
        (lambda grads: 0.0, r"got float"),
    ],
)
def test_custom_loss_with_invalid_return_value_is_rejected(returned: Any, message: str) -> None:
    def loss(data: list[tinker.Datum], logprobs: list[Any]) -> Any:
        return returned(logprobs)

    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        custom = training.forward_backward_custom([datum(4)], loss, arrays="numpy")
        with pytest.raises(tinker.InvalidInputError, match=message):
            custom.result(10)


def test_loss_function_and_loss_name_in_the_wrong_method_are_rejected() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(
            tinker.InvalidInputError, match="got function; pass your own loss function"
        ):
            training.forward_backward([datum(4)], lambda data, logprobs: 0.0)  # type: ignore[arg-type]
        with pytest.raises(
            tinker.InvalidInputError, match="got str; pass the name of a built-in loss"
        ):
            training.forward_backward_custom([datum(4)], "ppo", arrays="numpy")  # type: ignore[arg-type]
        training.optim_step(tinker.AdamParams()).result(10)
    assert seq_ids(server, *ORDERED) == [1]


def test_exception_in_a_custom_loss_is_raised_by_its_future() -> None:
    server = FakeServer()

    def loss(data: object, logprobs: object) -> tuple[float, list[np.ndarray], dict[str, float]]:
        raise RuntimeError("mine")

    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        custom = training.forward_backward_custom([datum(4)], loss, arrays="numpy")
        update = training.optim_step(tinker.AdamParams())
        with pytest.raises(RuntimeError, match="mine"):
            custom.result(10)
        update.result(10)
    assert seq_ids(server, *ORDERED) == [1, 2]
