"""The order of training requests, batches and results."""

from __future__ import annotations

import itertools
import math
from typing import Any

from tinker_ext.rules.chunking import MAX_CHUNK_ITEMS, split
from tinker_ext.testing import faults
from tinker_ext.testing.conformance.play import HungError, Play, datum, scenario
from tinker_ext.testing.conformance.server import JSON_PROTOCOL, PROTOBUF_PROTOCOL, Exchange
from tinker_ext.testing.messages import Received, Reply

_TRAINING = ("forward", "forward_backward", "optim_step")
# The limit on datums that the server of one scenario announces.
_LIMIT = 4


def _numbers(exchanges: list[Exchange]) -> list[Any]:
    return [item.body.get("seq_id") for item in exchanges]


@scenario("order.sequence", "order.independent")
def four_calls(play: Play) -> None:
    """Four calls at once; the first response is slow, and results wait for all submissions."""
    server = play.server
    training = play.training()

    def slow_first(received: Received) -> Reply:
        reply = server.process(received)
        first = len(server.exchanges(*_TRAINING)) == 1
        return Reply(reply.status, reply.body, delay=0.3 if first else 0.0)

    def wait_for_all(received: Received) -> Reply:
        if len(server.exchanges(*_TRAINING)) < 4:
            return Reply(200, {"type": "try_again", "queue_state": "active"}, delay=0.1)
        return server.process(received)

    server.hooks = {"forward_backward": slow_first, "retrieve_future": wait_for_all}
    calls = [step(training) for step in (play.train, play.update, play.train, play.update)]
    submitted = play.wait_until(lambda: len(server.exchanges(*_TRAINING)) >= 4)
    for call in calls:
        if not submitted and call.done:
            play.result(call)  # Raises if the client lacks the operation.
    play.check(
        "order.independent",
        submitted,
        expected="4 submissions before the first result",
        received=f"{len(server.exchanges(*_TRAINING))} submissions",
    )
    if not submitted:
        raise HungError("the calls wait for each other's results")
    for call in calls:
        play.result(call)
    requests = server.exchanges(*_TRAINING)
    numbers = _numbers(requests)
    kinds = [item.operation for item in requests]
    early = sum(
        before.responded is None or after.arrived < before.responded
        for before, after in itertools.pairwise(requests)
    )
    play.check(
        "order.sequence",
        numbers == [1, 2, 3, 4] and kinds == ["forward_backward", "optim_step"] * 2 and not early,
        expected="seq_id 1, 2, 3, 4 in the order of the calls, none before the last response",
        received=f"seq_id {', '.join(map(str, numbers))}; {early} sent early",
    )


@scenario("order.rejected")
def rejected_request(play: Play) -> None:
    """The server rejects the second request."""
    training = play.training()
    play.server.respond("optim_step", Reply(422, {"detail": "invalid learning rate"}))
    play.result(play.train(training))
    play.error(play.update(training))
    play.result(play.update(training))
    numbers = _numbers(play.server.exchanges(*_TRAINING))
    play.check(
        "order.rejected",
        numbers == [1, 2, 2],
        expected="seq_id 1, 2 (rejected), 2",
        received=f"seq_id {', '.join(map(str, numbers))}",
    )


@scenario("order.lost")
def lost_response(play: Play) -> None:
    """The server takes the first request, and the connection breaks before its response."""
    server = play.server
    training = play.training()
    server.respond("forward_backward", faults.dropped())
    play.result(play.train(training))
    play.result(play.update(training))
    requests = server.exchanges("forward_backward")
    same = len({str(item.body) for item in requests}) == 1
    play.check(
        "order.lost",
        len(requests) == 2 and same and not server.conflicts,
        expected="the same request twice, with seq_id 1",
        received=f"seq_id {', '.join(map(str, _numbers(requests)))}; "
        f"{'the same body' if same else 'other bodies'}",
    )


def _split(play: Play, count: int) -> tuple[list[Any], Any]:
    """Train on `count` datums of distinct lengths; return the requests and the result."""
    server = play.server
    training = play.training()
    data = [datum(range(1, 2 + index % 5)) for index in range(count)]
    play.change_results("loss_fn_outputs", _with_metrics)
    result = play.result(play.train(training, data))
    play.result(play.update(training))
    requests = sorted(server.exchanges(*_TRAINING), key=lambda item: item.body.get("seq_id") or 0)
    return requests, result


def _with_metrics(result: dict[str, Any]) -> dict[str, Any]:
    """The result of a chunk, with a mean metric that shows how it is weighted."""
    count = float(len(result["loss_fn_outputs"]))
    return {**result, "metrics": dict.fromkeys(("loss:sum", "part:mean", "most:max"), count)}


def _check_split(play: Play, rule: str, count: int, limit: int) -> Any:
    requests, result = _split(play, count)
    chunks = split([1] * count, max_items=limit)
    sizes = [len(item.body["forward_backward_input"]["data"]) for item in requests[:-1]]
    expected = [len(chunk) for chunk in chunks]
    numbers = _numbers(requests)
    play.check(
        rule,
        sizes == expected and numbers == list(range(1, len(chunks) + 2)),
        expected=f"{expected} datums, seq_id 1 to {len(chunks)}; then the next call",
        received=f"{sizes} datums, seq_id {', '.join(map(str, numbers))}",
    )
    return result


@scenario("batches.split", "batches.outputs", "batches.metrics")
def large_batch(play: Play) -> None:
    """A batch that exceeds the limit on datums by two, with datums of one to five tokens."""
    limit = MAX_CHUNK_ITEMS if play.protocol == JSON_PROTOCOL else 1024
    count = limit + 2
    result = _check_split(play, "batches.split", count, limit)
    lengths = [len(row) for row in result["logprobs"]]
    expected = [1 + index % 5 for index in range(count)]
    play.check(
        "batches.outputs",
        lengths == expected,
        expected=f"{count} outputs in the order of the datums",
        received=f"{len(lengths)} outputs, {'in order' if lengths == expected else 'out of order'}",
    )
    # The weight of a part is its number of datums.
    mean = (limit * limit + 2 * 2) / count
    want = {"loss:sum": float(count), "part:mean": mean, "most:max": float(limit)}
    metrics = result["metrics"]
    fits = all(math.isclose(metrics.get(name) or math.nan, want[name]) for name in want)
    play.check("batches.metrics", fits, expected=str(want), received=metrics)


@scenario("batches.flags", protocols=(PROTOBUF_PROTOCOL,), fwdbwd_max_chunk_len=_LIMIT)
def limit_of_the_server(play: Play) -> None:
    """The server limits requests to four datums."""
    _check_split(play, "batches.flags", 10, _LIMIT)


@scenario("responses.training")
def missing_output(play: Play) -> None:
    """The result has one output for two datums."""
    training = play.training()
    play.change_results(
        "loss_fn_outputs",
        lambda result: {**result, "loss_fn_outputs": result["loss_fn_outputs"][:1]},
    )
    error = play.error(play.train(training, [datum(), datum()]))
    play.check("responses.training", True, expected="an error", received=error)


@scenario("responses.unknown")
def unknown_fields(play: Play) -> None:
    """Every response has fields and values of a later release."""
    for operation in ("create_session", "create_model", "optim_step", "forward_backward"):
        play.server.respond(operation, faults.unknown_fields())
    training = play.training()
    play.server.respond("retrieve_future", faults.unknown_fields())
    play.result(play.update(training))
    sampler = play.sampler()
    play.server.respond("asample", faults.unknown_fields())
    if play.protocol == JSON_PROTOCOL:  # protobuf has no unknown words, only unknown numbers
        play.server.respond("retrieve_future", faults.unknown_values())
    result = play.result(play.sample(sampler))
    tokens = result["sequences"][0]["tokens"]
    play.check(
        "responses.unknown",
        tokens == [1, 2, 3],
        expected="tokens 1, 2, 3",
        received=f"tokens {tokens}",
    )


@scenario("responses.nan", protocols=(JSON_PROTOCOL,))
def not_a_number(play: Play) -> None:
    """Metrics contain NaN and Infinity, as Python servers write them."""
    training = play.training()
    play.server.respond("retrieve_future", faults.not_a_number())
    result = play.result(play.train(training))
    names = sorted(result["metrics"])
    play.check(
        "responses.nan",
        {"a:mean", "b:max"} <= set(names),
        expected="the metrics a:mean and b:max",
        received=f"the metrics {', '.join(names)}",
    )
