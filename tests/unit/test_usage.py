"""Tokens that clients count, estimates before a run, prices, and costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, datum
from tinker_ext import usage
from tinker_ext.testing import FakeServer, Reply, make_client

PRICE = usage.Price(training=4.0, prompt=1.0, sampled=2.0, cached_prompt=0.5)


def test_training_counts_tokens_and_updates_whose_results_arrived() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        other = service.create_lora_training_client("fake/model")
        assert training.usage() == usage.Usage()
        training.forward_backward([datum(3), datum(4)], "cross_entropy").result()
        training.forward([datum(5)], "cross_entropy").result()
        training.optim_step(tinker.AdamParams()).result()
        other.forward_backward([datum(10)], "cross_entropy").result()
        server.respond("forward_backward", Reply(400, {"detail": "no"}))
        with pytest.raises(tinker.BadRequestError):
            training.forward_backward([datum(100)], "cross_entropy").result()
        assert training.usage() == usage.Usage(training_tokens=7, forward_tokens=5, optim_steps=1)
        assert service.usage() == training.usage() + other.usage()
    assert service.usage().training_tokens == 17, "also after close"


def test_batch_of_several_requests_is_counted_once() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([datum(4)] * 1100, "cross_entropy").result()
        assert len(server.calls("forward_backward")) > 1
        assert training.usage().training_tokens == 4400


def test_custom_loss_counts_both_of_its_passes() -> None:
    def loss(data: Any, logprobs: Any) -> Any:
        return 0.0, [np.zeros_like(array) for array in logprobs], {}

    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward_custom([datum(6)], loss, arrays="numpy").result()
        used = training.usage()
    assert (used.forward_tokens, used.training_tokens) == (6, 6)


def test_sampling_counts_prompts_once_and_the_tokens_of_all_samples() -> None:
    server = FakeServer()
    sequence = {"stop_reason": "stop", "tokens": [1, 2], "logprobs": [-1.0, -1.0]}
    result = {"type": "sample", "sequences": [sequence] * 2, "prompt_cache_hit_tokens": 1}
    server.respond_always("retrieve_future", Reply(200, result))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for future in [sampler.sample(PROMPT, 2, PARAMS) for _ in range(3)]:
            future.result()
            future.result()
        expected = usage.Usage(
            prompt_tokens=9, cached_prompt_tokens=3, sampled_tokens=12, samples=3
        )
        assert sampler.usage() == service.usage() == expected


def test_cost_has_a_price_for_each_kind_of_token() -> None:
    used = usage.Usage(
        training_tokens=1_000_000,
        forward_tokens=2_000_000,
        prompt_tokens=3_000_000,
        cached_prompt_tokens=1_000_000,
        sampled_tokens=500_000,
    )
    assert used.cost(PRICE) == 4.0 + 2 * 1.0 + 2 * 1.0 + 0.5 + 1.0
    plain = usage.Price(training=4.0, prompt=1.0, sampled=2.0, forward=3.0)
    assert used.cost(plain) == 4.0 + 2 * 3.0 + 3 * 1.0 + 1.0


def test_estimates_add_up_and_are_multiplied() -> None:
    planned = usage.of_training([datum(3), datum(5)], epochs=2.5)
    assert planned == usage.Usage(training_tokens=20)
    sampling = usage.of_sampling([PROMPT, PROMPT], PARAMS, num_samples=3)
    assert sampling == usage.Usage(prompt_tokens=6, sampled_tokens=24, samples=2)
    assert (planned + sampling * 10).sampled_tokens == 240
    with pytest.raises(tinker.InvalidInputError, match="set max_tokens"):
        usage.of_sampling([PROMPT], tinker.SamplingParams())


def test_price_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    price = {"training": 4, "prompt": 1, "sampled": 2, "cached_prompt": 0.5}
    file.write_text(json.dumps({"fake/model": price}))
    assert usage.read_prices(file) == {"fake/model": PRICE}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object with a price per model"),
        ('{"m": {"training": 1}}', "prices.json, m: expected an object with prompt, sampled, tr"),
        ('{"m": {"training": 1, "prompt": 1, "sampled": 1, "x": 1}}', "prices.json, m: expected"),
        ('{"m": {"training": -1, "prompt": 1, "sampled": 1}}', "m, training: .* >= 0, got -1"),
        ('{"m": {"training": 1, "prompt": null, "sampled": 1}}', "m, prompt: .* got None"),
        ('{"m": {"training": 1, "prompt": true, "sampled": 1}}', "m, prompt: .* got True"),
        ('{"m": {"training": 1, "prompt": NaN, "sampled": 1}}', "m, prompt: .* got nan"),
        (
            f'{{"m": {{"training": 1, "prompt": 1{"0" * 400}, "sampled": 1}}}}',
            "m, prompt: expected a number >= 0, got 10",
        ),
    ],
)
def test_invalid_price_table_is_rejected(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(tinker.InvalidInputError, match=message):
        usage.read_prices(file)
