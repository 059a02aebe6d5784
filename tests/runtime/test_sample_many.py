"""`sample_many` and `as_completed` against an in-memory server."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.testing import FakeServer, Received, Reply, make_client

PROMPTS = [tinker.ModelInput.from_ints([n, n + 1]) for n in range(1, 8)]


def tokens_of(call: Received) -> list[int]:
    return [token for chunk in call.body["prompt"]["chunks"] for token in chunk["tokens"]]


def sent(server: FakeServer) -> list[list[int]]:
    return sorted(map(tokens_of, server.calls("asample")))


def reject(*first_tokens: int) -> Any:
    """A reply that rejects prompts with these first tokens and leaves others to the server."""

    def reply(server: FakeServer, call: Received) -> Any:
        if tokens_of(call)[0] in first_tokens:
            return Reply(400, {"detail": f"bad prompt {tokens_of(call)[0]}"})
        return server.default_reply(call)

    return reply


def rejecting(*first_tokens: int) -> FakeServer:
    server = FakeServer()
    reply = reject(*first_tokens)
    server.respond_always("asample", lambda call: reply(server, call))
    return server


def sampler_of(service: tinker.ServiceClient) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model="fake/model")


def test_sample_many_returns_outcomes_in_order_of_prompts() -> None:
    server = FakeServer()
    with make_client(server) as service:
        outcomes = list(sampler_of(service).sample_many(PROMPTS, PARAMS, 2))
    assert [outcome.index for outcome in outcomes] == list(range(7))
    assert [outcome.prompt for outcome in outcomes] == PROMPTS
    assert all(len(outcome.result().sequences) == 2 for outcome in outcomes)
    assert [tokens_of(call) for call in server.calls("asample")] == [p.to_ints() for p in PROMPTS]
    assert {call.body["num_samples"] for call in server.calls("asample")} == {2}


async def test_sample_many_async_returns_the_same_outcomes() -> None:
    with make_client(FakeServer()) as service:
        sampler = await service.create_sampling_client_async(base_model="fake/model")
        outcomes = [outcome async for outcome in sampler.sample_many(PROMPTS, PARAMS)]
    assert [(outcome.index, outcome.error) for outcome in outcomes] == [(n, None) for n in range(7)]


@pytest.mark.parametrize("ordered", [True, False])
def test_sample_many_takes_only_as_many_prompts_as_fit_in_the_window(ordered: bool) -> None:
    taken = 0

    def prompts() -> Iterator[tinker.ModelInput]:
        nonlocal taken
        while True:
            taken += 1
            yield PROMPT

    with make_client(FakeServer()) as service:
        stream = sampler_of(service).sample_many(
            prompts(), PARAMS, max_in_flight=3, ordered=ordered
        )
        assert taken == 0, "nothing is sent before the iteration"
        for returned, _ in enumerate(itertools.islice(stream, 20), start=1):
            assert taken <= returned + 2
        stream.close()


def test_failed_prompt_does_not_affect_other_prompts() -> None:
    with make_client(rejecting(3)) as service:
        outcomes = list(sampler_of(service).sample_many(PROMPTS, PARAMS))
    assert [outcome.index for outcome in outcomes if outcome.error is not None] == [2]
    assert isinstance(outcomes[2].error, tinker.BadRequestError)
    with pytest.raises(tinker.BadRequestError):
        outcomes[2].result()


def test_invalid_prompt_is_a_failure_of_that_prompt() -> None:
    server = FakeServer()
    prompts: list[Any] = [PROMPT, "text", PROMPT]
    with make_client(server) as service:
        outcomes = list(sampler_of(service).sample_many(prompts, PARAMS))
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        tinker.InvalidInputError,
        type(None),
    ]
    assert len(server.calls("asample")) == 2


def test_error_of_the_prompt_iterator_follows_the_outcomes_of_earlier_prompts() -> None:
    def prompts() -> Iterator[tinker.ModelInput]:
        yield from PROMPTS[:2]
        raise OSError("disk")

    returned: list[tinker.SampleOutcome] = []
    with make_client(FakeServer()) as service:
        with pytest.raises(OSError, match="disk"):
            returned.extend(sampler_of(service).sample_many(prompts(), PARAMS))
        stream = sampler_of(service).sample_many(prompts(), PARAMS)
        with pytest.raises(OSError, match="disk"):
            returned.extend(stream)
        assert list(stream) == [], "an exhausted iterator stays exhausted"
    assert [outcome.index for outcome in returned] == [0, 1, 0, 1]


def test_max_failures_raises_the_first_error_beyond_it() -> None:
    returned: list[tinker.SampleOutcome] = []
    with (
        make_client(rejecting(2, 4, 6)) as service,
        pytest.raises(tinker.BadRequestError, match="bad prompt 4"),
    ):
        returned.extend(sampler_of(service).sample_many(PROMPTS, PARAMS, max_failures=1))
    assert [outcome.index for outcome in returned] == [0, 1, 2]


def test_closed_client_ends_the_iteration() -> None:
    with make_client(FakeServer()) as service:
        sampler = sampler_of(service)
    with pytest.raises(tinker.ClientClosedError):
        list(sampler.sample_many(itertools.repeat(PROMPT), PARAMS))


def test_progress_counts_outcomes() -> None:
    seen: list[tinker.SampleProgress] = []
    with make_client(rejecting(3)) as service:
        list(sampler_of(service).sample_many(PROMPTS, PARAMS, progress=seen.append))
    assert [progress.completed for progress in seen] == list(range(1, 8))
    assert seen[-1] == tinker.SampleProgress(completed=7, failed=1, total=7, sampled_tokens=18)


class Holding(FakeServer):
    """Holds the samples of some prompts back until `release` is set."""

    def __init__(self, *first_tokens: int) -> None:
        super().__init__()
        self.release = threading.Event()
        self.held = first_tokens

    async def handle_async_request(self, request: Any) -> Any:
        if request.url.path.endswith("/asample"):
            first = json.loads(await request.aread())["prompt"]["chunks"][0]["tokens"][0]
            if first in self.held:
                await asyncio.to_thread(self.release.wait, 60)
        return await super().handle_async_request(request)


def test_unordered_outcomes_are_returned_as_they_complete() -> None:
    server = Holding(1)
    with make_client(server) as service:
        stream = sampler_of(service).sample_many(PROMPTS, PARAMS, ordered=False)
        first = [next(stream).index for _ in range(6)]
        server.release.set()
        assert sorted(first) == [1, 2, 3, 4, 5, 6]
        assert [outcome.index for outcome in stream] == [0]


def test_dropped_stream_cancels_the_samples_in_flight() -> None:
    server = Holding(2, 3)
    with make_client(server) as service:
        stream = sampler_of(service).sample_many(PROMPTS, PARAMS, ordered=False, max_in_flight=3)
        next(stream)
        futures = [pending.future for pending in stream._in_flight.values()]
        del stream
        gc.collect()
        assert futures
        assert comes_true(lambda: all(future.cancelled() for future in futures))
        server.release.set()


async def test_cancelled_iteration_cancels_the_samples_in_flight() -> None:
    server = Holding(1)
    with make_client(server) as service:
        sampler = await service.create_sampling_client_async(base_model="fake/model")
        stream = sampler.sample_many(PROMPTS[:1], PARAMS)
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # The task submits the sample.
        (pending,) = stream._in_flight.values()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pending.future.cancelled()
        server.release.set()


def test_save_to_stores_results_and_second_call_samples_only_failed_prompts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "samples.jsonl"
    with make_client(rejecting(3, 5)) as service:
        first = list(sampler_of(service).sample_many(PROMPTS, PARAMS, save_to=path))
    server = FakeServer()
    with make_client(server) as service:
        second = list(sampler_of(service).sample_many(PROMPTS, PARAMS, save_to=path))
        third = list(sampler_of(service).sample_many(iter(PROMPTS), PARAMS, save_to=path))
    assert sent(server) == [[3, 4], [5, 6]]
    assert [outcome.stored for outcome in second] == [True, True, False, True, False, True, True]
    assert all(outcome.stored for outcome in third)
    assert [outcome.response for outcome in third] == [outcome.response for outcome in second]
    assert second[0].response == first[0].response
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["kind"] == "samples"
    assert [line["error"]["type"] for line in lines if "error" in line] == ["BadRequestError"] * 2


def test_stored_response_equals_the_received_one(tmp_path: Path) -> None:
    path, server = tmp_path / "samples.jsonl", FakeServer()
    result = {
        "type": "sample",
        "sequences": [
            {
                "stop_reason": "stop",
                "tokens": [4, 5],
                "logprobs": [-1.5, float("-inf")],
                "topk_logprobs": [[[4, -1.5], [7, -2.0]], [[5, -0.5]]],
            }
        ],
        "prompt_logprobs": [None, -2.5],
        "topk_prompt_logprobs": [None, [[2, -2.5]]],
    }
    server.respond_always("retrieve_future", Reply(200, result))
    options: dict[str, Any] = {
        "include_prompt_logprobs": True,
        "topk_prompt_logprobs": 2,
        "topk_sample_logprobs": 2,
        "save_to": path,
    }
    prompts = [tinker.ModelInput.from_ints(np.array([1, 2]))]
    with make_client(server) as service:
        sampler = sampler_of(service)
        (first,) = sampler.sample_many(prompts, PARAMS, **options)
        (second,) = sampler.sample_many(prompts, PARAMS, **options)
    assert second.stored
    assert second.response == first.result()
    assert first.result().sequences[0].logprobs == [-1.5, float("-inf")]


def test_stopped_iteration_resumes_from_the_file(tmp_path: Path) -> None:
    path, server = tmp_path / "samples.jsonl", FakeServer()
    with make_client(server) as service:
        with sampler_of(service).sample_many(
            PROMPTS, PARAMS, save_to=path, max_in_flight=1
        ) as stream:
            next(stream)
            next(stream)
        with path.open("ab") as file:
            file.write(b'{"index": 2, "prom')  # A killed process.
        outcomes = list(sampler_of(service).sample_many(PROMPTS, PARAMS, save_to=path))
    assert [outcome.stored for outcome in outcomes] == [True] * 2 + [False] * 5
    assert [json.loads(line) for line in path.read_text().splitlines()][-1]["index"] == 6


@pytest.mark.parametrize("as_iterator", [False, True])
def test_file_of_other_prompts_is_rejected(tmp_path: Path, as_iterator: bool) -> None:
    path, server = tmp_path / "samples.jsonl", FakeServer()
    with make_client(server) as service:
        sampler = sampler_of(service)
        list(sampler.sample_many(PROMPTS[:3], PARAMS, save_to=path))
        other = [*PROMPTS[:2], PROMPTS[5]]
        with pytest.raises(tinker.InvalidInputError, match="prompt 2 differs") as caught:
            list(sampler.sample_many(iter(other) if as_iterator else other, PARAMS, save_to=path))
    assert caught.value.where == "save_to"
    assert len(server.calls("asample")) == 3


def test_file_of_other_parameters_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with make_client(FakeServer()) as service:
        sampler = sampler_of(service)
        list(sampler.sample_many(PROMPTS[:1], PARAMS, save_to=path))
        with pytest.raises(
            tinker.InvalidInputError, match=r"sampling_params.max_tokens is 5 and was 4"
        ):
            sampler.sample_many(PROMPTS, tinker.SamplingParams(max_tokens=5), save_to=path)
        with pytest.raises(tinker.InvalidInputError, match="num_samples is 2 and was 1"):
            sampler.sample_many(PROMPTS, PARAMS, 2, save_to=path)
        with pytest.raises(tinker.InvalidInputError, match="'other/model' and was 'fake/model'"):
            service.create_sampling_client(base_model="other/model").sample_many(
                PROMPTS, PARAMS, save_to=path
            )


@pytest.mark.parametrize("content", ['{"step": 1}\n', '{"step": 1}', "text\n", "[1]\nincomplete"])
def test_file_of_another_program_is_rejected_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with (
        make_client(FakeServer()) as service,
        pytest.raises(tinker.InvalidInputError, match=r"line 1 is .*use another file"),
    ):
        sampler_of(service).sample_many(PROMPTS, PARAMS, save_to=path)
    assert path.read_text() == content


def test_file_in_use_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with make_client(FakeServer()) as service:
        sampler = sampler_of(service)
        with (
            sampler.sample_many(PROMPTS, PARAMS, save_to=path),
            pytest.raises(tinker.InvalidInputError, match="another program writes"),
        ):
            sampler.sample_many(PROMPTS, PARAMS, save_to=path)


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"prompts": PROMPT}, "prompts"),
        ({"prompts": "text"}, "prompts"),
        ({"sampling_params": {"max_tokens": 4}}, "sampling_params"),
        ({"num_samples": 0}, "num_samples"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"max_failures": -1}, "max_failures"),
        ({"topk_prompt_logprobs": -1}, "topk_prompt_logprobs"),
    ],
)
def test_invalid_argument_is_rejected_at_once(arguments: dict[str, Any], where: str) -> None:
    with (
        make_client(FakeServer()) as service,
        pytest.raises(tinker.InvalidInputError) as caught,
    ):
        sampler_of(service).sample_many(
            **{"prompts": PROMPTS, "sampling_params": PARAMS, **arguments}
        )
    assert caught.value.where == where


@pytest.mark.parametrize("timeout", ["5", math.nan, 10**400, 1j])
def test_as_completed_with_a_timeout_that_is_not_a_number_raises(timeout: Any) -> None:
    with pytest.raises(tinker.InvalidInputError, match="timeout: expected a number of seconds"):
        tinker.as_completed([], timeout)


@pytest.mark.parametrize("timeout", [math.inf, 1e12])
def test_as_completed_with_a_long_timeout_waits_for_the_results(timeout: float) -> None:
    with make_client(FakeServer()) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(3)]
        assert set(tinker.as_completed(futures, timeout)) == set(futures)


def test_as_completed_returns_futures_in_order_of_completion() -> None:
    server = Holding(1)
    with make_client(server) as service:
        sampler = sampler_of(service)
        futures = [sampler.sample(prompt, 1, PARAMS) for prompt in PROMPTS[:4]]
        iterator = tinker.as_completed([*futures, futures[1]], timeout=60)
        first = [next(iterator) for _ in range(3)]
        server.release.set()
        assert set(first) == set(futures[1:])
        assert list(iterator) == futures[:1]


async def test_as_completed_works_in_async_for() -> None:
    with make_client(rejecting(2)) as service:
        sampler = await service.create_sampling_client_async(base_model="fake/model")
        futures = [sampler.sample(prompt, 1, PARAMS) for prompt in PROMPTS[:3]]
        done = [future async for future in tinker.as_completed(futures)]
    assert set(done) == set(futures)
    assert [type(future.exception()) for future in futures] == [
        type(None),
        tinker.BadRequestError,
        type(None),
    ]


def test_as_completed_raises_after_the_timeout_and_requests_continue() -> None:
    server = Holding(1)
    with make_client(server) as service:
        future = sampler_of(service).sample(PROMPTS[0], 1, PARAMS)
        with pytest.raises(TimeoutError, match="1 futures are not done"):
            list(tinker.as_completed([future], timeout=0.01))
        server.release.set()
        assert len(future.result(60).sequences) == 1


def test_as_completed_rejects_other_objects() -> None:
    with pytest.raises(tinker.InvalidInputError, match=r"futures\[0\].*got int"):
        tinker.as_completed([3])  # type: ignore[arg-type]
