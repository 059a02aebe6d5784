"""The client trains and samples before a strict server of each release, without being told which.

Each server is the embedded backend as it speaks that release and nothing else: what the release
does not have is refused as a server of that release would.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tinker_ext import APIStatusError, RequestFailedError, ServiceClient, types
from tinker_ext.embedded.launch import EmbeddedServer, start_embedded
from tinker_ext.embedded.releases import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)

WAIT = 60.0
TOKENS = list(b"The quick brown fox jumps over the lazy dog.")
PROTOBUF = {"0.25", "0.38", "any"}
RELEASES = {"0.4.1": "0.4.1", "0.24": "0.24.1", "0.25": "0.25.0", "0.38": "0.38.0", "any": "0.38.0"}


@pytest.fixture(scope="module", params=list(DIALECTS))
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    with start_embedded(dialect=request.param) as started:
        yield started


@pytest.fixture
def service(server: EmbeddedServer) -> Iterator[ServiceClient]:
    with ServiceClient(base_url=server.url, api_key="tml-x") as opened:
        yield opened


def datum() -> types.Datum:
    return types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[:-1]),
        loss_fn_inputs={"target_tokens": TOKENS[1:], "weights": [1.0] * (len(TOKENS) - 1)},
    )


def loss_of(output: types.ForwardBackwardOutput) -> float:
    return -sum(float(one["logprobs"].to_numpy().sum()) for one in output.loss_fn_outputs)


def test_it_trains_saves_and_loads(service: ServiceClient, server: EmbeddedServer) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
    first = loss_of(training.forward([datum()] * 2, "cross_entropy").result(WAIT))
    losses = []
    for _ in range(6):
        done = training.forward_backward([datum()] * 2, "cross_entropy")
        updated = training.optim_step(types.AdamParams(learning_rate=0.01))
        output = done.result(WAIT)
        losses.append(loss_of(output))
        assert output.metrics["loss:sum"] == pytest.approx(losses[-1], rel=1e-4)
        updated.result(WAIT)
    assert losses[0] == pytest.approx(first, rel=1e-5)
    assert losses[-1] < 0.7 * losses[0]

    saved = training.save_state("kept").result(WAIT).path
    kept = loss_of(training.forward([datum()], "cross_entropy").result(WAIT))
    training.forward_backward([datum()], "cross_entropy").result(WAIT)
    training.optim_step(types.AdamParams(learning_rate=0.1)).result(WAIT)
    training.load_state(saved).result(WAIT)
    again = loss_of(training.forward([datum()], "cross_entropy").result(WAIT))
    assert again == pytest.approx(kept, rel=1e-6)

    second = service.create_training_client_from_state(saved)
    assert loss_of(second.forward([datum()], "cross_entropy").result(WAIT)) == pytest.approx(kept)

    assert service.dialect.release == RELEASES[server.dialect]
    assert (service.dialect.training_body == "protobuf") == (server.dialect in PROTOBUF)


def test_it_samples_and_scores(service: ServiceClient) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
    training.forward_backward([datum()], "cross_entropy").result(WAIT)
    training.optim_step(types.AdamParams(learning_rate=0.01)).result(WAIT)
    saved = training.save_weights_for_sampler("sampled").result(WAIT).path
    named = service.create_sampling_client(model_path=saved)
    passing = training.save_weights_and_get_sampling_client()
    prompt = types.ModelInput.from_ints(TOKENS[:10])
    params = types.SamplingParams(max_tokens=6, seed=3, temperature=0.7)

    found = named.sample(prompt, 2, params, topk_prompt_logprobs=3).result(WAIT)
    same = passing.sample(prompt, 2, params).result(WAIT)
    assert [one.tokens for one in found.sequences] == [one.tokens for one in same.sequences]
    for one in found.sequences:
        assert one.logprobs is not None
        assert len(one.logprobs) == len(one.tokens) <= 6
        assert one.stop_reason in {"length", "stop"}
    assert found.topk_prompt_logprobs is not None
    assert [row and len(row) for row in found.topk_prompt_logprobs] == [None] + [3] * 9

    scored = named.compute_logprobs(prompt).result(WAIT)
    assert scored[0] is None
    assert all(one is not None and math.isfinite(one) for one in scored[1:])


def test_it_lists_and_deletes(service: ServiceClient) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    saved = training.save_state("listed").result(WAIT).path
    rest = service.create_rest_client()
    run = training.get_info().model_id
    assert rest.list_training_runs(limit=1).result(WAIT).training_runs[0].training_run_id == run
    found = rest.list_checkpoints(run).result(WAIT).checkpoints
    assert [one.tinker_path for one in found] == [saved]
    rest.delete_checkpoint_from_tinker_path(saved).result(WAIT)
    with pytest.raises(APIStatusError) as caught:
        rest.delete_checkpoint_from_tinker_path(saved).result(WAIT)
    assert caught.value.status_code == 404


def test_a_mistake_is_named_and_holds_nothing_up(service: ServiceClient) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    with pytest.raises(RequestFailedError, match="token id outside"):
        training.forward(
            [
                types.Datum(
                    model_input=types.ModelInput.from_ints([1, 2, 99999]),
                    loss_fn_inputs={"target_tokens": [1, 2, 3], "weights": [1.0] * 3},
                )
            ],
            "cross_entropy",
        ).result(WAIT)
    training.forward([datum()], "cross_entropy").result(WAIT)
