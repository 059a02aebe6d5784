"""The client trains and samples with a strict server of each release, without configuration.

Each server is the embedded backend with the protocol of one release: it rejects operations and
fields that the release lacks, as a server of that release does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from attrs import evolve

from tinker_ext import (
    APIStatusError,
    RequestFailedError,
    ServiceClient,
    TinkerError,
    UnprocessableEntityError,
    types,
)
from tinker_ext.embedded.launch import RunningBackend, start_embedded
from tinker_ext.embedded.protocols import PROTOCOLS
from tinker_ext.testing import make_client

pytestmark = pytest.mark.timeout(120)

WAIT = 60.0
LATEST = {"0.38", "any"}
TOKENS = list(b"The quick brown fox jumps over the lazy dog.")
PROTOBUF = {"0.25", "0.38", "any"}
# The only requests that are rejected: the client otherwise sends what the release accepts.
UNKNOWN_OPERATIONS = {"0.4.1": [("client/config", 404)]}
RELEASES = {"0.4.1": "0.4.1", "0.24": "0.24.1", "0.25": "0.25.0", "0.38": "0.38.0", "any": "0.38.0"}


@pytest.fixture(scope="module", params=list(PROTOCOLS))
def server(request: pytest.FixtureRequest) -> Iterator[RunningBackend]:
    with start_embedded(protocol=request.param) as process:
        yield process


class RecordingTransport(httpx.AsyncHTTPTransport):
    """Sends requests, and records those that are rejected."""

    def __init__(self) -> None:
        super().__init__()
        self.rejected: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.status_code >= 400:
            self.rejected.append((request.url.path.removeprefix("/api/v1/"), response.status_code))
        return response


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


@pytest.fixture
def service(server: RunningBackend, transport: RecordingTransport) -> Iterator[ServiceClient]:
    with make_client(transport, base_url=server.url, api_key="tml-x") as client:
        yield client


def datum() -> types.Datum:
    return types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[:-1]),
        loss_fn_inputs={"target_tokens": TOKENS[1:], "weights": [1.0] * (len(TOKENS) - 1)},
    )


def loss_of(output: types.ForwardBackwardOutput) -> float:
    return -sum(
        float(loss_fn_output["logprobs"].to_numpy().sum())
        for loss_fn_output in output.loss_fn_outputs
    )


def test_client_trains_saves_and_loads(
    service: ServiceClient, server: RunningBackend, transport: RecordingTransport
) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
    first = loss_of(training.forward([datum()] * 2, "cross_entropy").result(WAIT))
    losses = []
    for _ in range(6):
        future = training.forward_backward([datum()] * 2, "cross_entropy")
        updated = training.optim_step(types.AdamParams(learning_rate=0.01))
        output = future.result(WAIT)
        losses.append(loss_of(output))
        assert output.metrics["loss:sum"] == pytest.approx(losses[-1], rel=1e-4)
        updated.result(WAIT)
    assert losses[0] == pytest.approx(first, rel=1e-5)
    assert losses[-1] < 0.7 * losses[0]

    saved = training.save_state("saved").result(WAIT).path
    loss_when_saved = loss_of(training.forward([datum()], "cross_entropy").result(WAIT))
    training.forward_backward([datum()], "cross_entropy").result(WAIT)
    training.optim_step(types.AdamParams(learning_rate=0.1)).result(WAIT)
    training.load_state(saved).result(WAIT)
    loss_after_load = loss_of(training.forward([datum()], "cross_entropy").result(WAIT))
    assert loss_after_load == pytest.approx(loss_when_saved, rel=1e-6)

    second = service.create_training_client_from_state(saved)
    loss_of_second = loss_of(second.forward([datum()], "cross_entropy").result(WAIT))
    assert loss_of_second == pytest.approx(loss_when_saved)

    assert transport.rejected == UNKNOWN_OPERATIONS.get(server.protocol, [])
    assert service.server_protocol.release == RELEASES[server.protocol]
    assert (service.server_protocol.training_body == "protobuf") == (server.protocol in PROTOBUF)


def test_images_and_weight_decay_per_release(
    service: ServiceClient, server: RunningBackend, transport: RecordingTransport
) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    image = types.ImageChunk(data=b"x", format="png", height=2, width=2, tokens=3)
    with_image = evolve(datum(), model_input=datum().model_input.append(image))
    # The request is valid in all releases, but the model accepts text only.
    with pytest.raises(TinkerError, match="image"):
        training.forward([evolve(with_image, loss_fn_inputs=datum().loss_fn_inputs)], "ppo").result(
            WAIT
        )
    training.forward_backward([datum()], "cross_entropy").result(WAIT)
    decaying = types.AdamParams(learning_rate=0.01, weight_decay=0.1)
    if server.protocol == "0.4.1":
        with pytest.raises(UnprocessableEntityError, match="weight_decay"):
            training.optim_step(decaying).result(WAIT)
    else:
        training.optim_step(decaying).result(WAIT)
    training.optim_step(types.AdamParams(learning_rate=0.01)).result(WAIT)
    unexpected = [
        item
        for item in transport.rejected
        if item not in UNKNOWN_OPERATIONS.get(server.protocol, [])
    ]
    assert [status for _, status in unexpected if status != 400] == (
        [422] if server.protocol == "0.4.1" else []
    )


def test_client_samples_and_scores(service: ServiceClient) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
    training.forward_backward([datum()], "cross_entropy").result(WAIT)
    training.optim_step(types.AdamParams(learning_rate=0.01)).result(WAIT)
    saved = training.save_weights_for_sampler("sampled").result(WAIT).path
    named = service.create_sampling_client(model_path=saved)
    ephemeral = training.save_weights_and_get_sampling_client()
    prompt = types.ModelInput.from_ints(TOKENS[:10])
    params = types.SamplingParams(max_tokens=6, seed=3, temperature=0.7)

    result = named.sample(prompt, 2, params, topk_prompt_logprobs=3).result(WAIT)
    same = ephemeral.sample(prompt, 2, params).result(WAIT)
    assert [sequence.tokens for sequence in result.sequences] == [
        sequence.tokens for sequence in same.sequences
    ]
    for sequence in result.sequences:
        assert sequence.logprobs is not None
        assert len(sequence.logprobs) == len(sequence.tokens) <= 6
        assert sequence.stop_reason in {"length", "stop"}
    assert result.topk_prompt_logprobs is not None
    assert [row and len(row) for row in result.topk_prompt_logprobs] == [None] + [3] * 9

    scored = named.compute_logprobs(prompt).result(WAIT)
    assert scored[0] is None
    assert all(item is not None and math.isfinite(item) for item in scored[1:])


def test_sample_options_per_release(service: ServiceClient, server: RunningBackend) -> None:
    sampler = service.create_sampling_client(base_model="embedded/tiny")
    prompt = types.ModelInput.from_ints(TOKENS[:5])
    params = types.SamplingParams(max_tokens=4, seed=3)
    options: dict[str, Any] = {
        "topk_sample_logprobs": 2,
        "target_prompt_logprobs": types.TensorData([[token, -1] for token in TOKENS[1:5]]),
        "prompt_alt_tokens_k": 3,
        "include_prompt_logprobs": True,
        "prompt_logprobs_last_n": 2,
    }
    if server.protocol not in LATEST:
        with pytest.raises(APIStatusError) as caught:
            sampler.sample(prompt, 1, params, **options).result(WAIT)
        assert caught.value.status_code == 422
        return
    if server.protocol == "0.38":  # From then on results are protobuf.
        training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
        training.forward([datum()], "cross_entropy").result(WAIT)
    result = sampler.sample(prompt, 2, params, **options).result(WAIT)
    scores = result.prompt_logprobs
    assert scores is not None
    assert [score is None for score in scores] == [True] * 3 + [False] * 2
    assert result.target_prompt_logprobs is not None
    targets = result.target_prompt_logprobs.to_numpy()
    assert targets[-2:, 0].tolist() == pytest.approx(scores[-2:], rel=1e-5)
    assert targets[:, 1].tolist() == [0] * 4
    assert result.prompt_alt_tokens is not None
    assert result.prompt_alt_tokens.tokens.shape == [4, 3]
    assert result.prompt_alt_tokens.logprobs.shape == [4, 3]
    for sequence in result.sequences:
        assert sequence.sequence_id is not None
        assert sequence.topk_logprobs is not None
        assert [row and len(row) for row in sequence.topk_logprobs] == [2] * len(sequence.tokens)


def test_csr_targets_are_scored_and_audio_is_rejected_with_field_name(
    service: ServiceClient, server: RunningBackend
) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    wide = np.zeros((len(TOKENS) - 1, 9), dtype=np.int64)
    wide[:, 0] = TOKENS[1:]
    csr = types.TensorData.from_torch_sparse(wide)
    assert csr.is_sparse
    multiple_targets = evolve(datum(), loss_fn_inputs={"target_tokens": csr})
    [scored] = training.forward([multiple_targets], "cross_entropy").result(WAIT).loss_fn_outputs
    [single] = training.forward([datum()], "cross_entropy").result(WAIT).loss_fn_outputs
    logprobs = scored["logprobs"].to_numpy()
    assert logprobs.shape == wide.shape
    np.testing.assert_allclose(logprobs[:, 0], single["logprobs"].to_numpy(), rtol=1e-5)
    audio = types.ModelInput(chunks=[types.DmelChunk(dmel=bytes([0, 1, 43]))])
    message = "chunks.0" if server.protocol == "0.4.1" else r"chunks.0.: this model reads text"
    with pytest.raises(TinkerError, match=message):
        training.forward([evolve(datum(), model_input=audio)], "cross_entropy").result(WAIT)
    training.forward([datum()], "cross_entropy").result(WAIT)


def test_csr_targets_return_csr_logprobs(service: ServiceClient, server: RunningBackend) -> None:
    if server.protocol not in LATEST:
        pytest.skip("covered by test_sample_options_per_release")
    if server.protocol == "0.38":  # From then on results are protobuf.
        training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
        training.forward([datum()], "cross_entropy").result(WAIT)
    sampler = service.create_sampling_client(base_model="embedded/tiny")
    prompt = types.ModelInput.from_ints(TOKENS[:9])
    ids = np.full((8, 6), -1)
    ids[3, 1] = ids[7, 5] = TOKENS[4]

    def score(targets: types.TensorData) -> types.TensorData:
        params = types.SamplingParams(max_tokens=1)
        future = sampler.sample(prompt, 1, params, target_prompt_logprobs=targets)
        result = future.result(WAIT).target_prompt_logprobs
        assert result is not None
        return result

    dense = score(types.TensorData(ids))
    sparse = score(types.TensorData.from_torch_sparse(ids, pad_value=-1))
    assert (dense.is_sparse, sparse.is_sparse) == (False, True)
    assert sparse.sparse_col_indices == [1, 5]
    assert sparse.tolist() == dense.tolist()
    assert np.count_nonzero(dense.to_numpy()) == 2


def test_checkpoint_options_per_release(service: ServiceClient, server: RunningBackend) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    if server.protocol not in LATEST:
        with pytest.raises(APIStatusError) as caught:
            training.save_state("state", overwrite=True, user_metadata={"k": "v"}).result(WAIT)
        assert caught.value.status_code == 422
        return
    rest = service.create_rest_client()
    first = training.save_state("state", 3600, user_metadata={"k": "v"}).result(WAIT).path
    again = training.save_state("state", overwrite=True, user_metadata={"k": "w"}).result(WAIT).path
    assert first == again
    (checkpoint,) = rest.list_checkpoints(training.model_id).result(WAIT).checkpoints
    assert (checkpoint.user_metadata, checkpoint.expires_at) == ({"k": "w"}, None)
    rest.set_checkpoint_ttl_from_tinker_path(first, 3600).result(WAIT)
    (checkpoint,) = rest.list_checkpoints(training.model_id).result(WAIT).checkpoints
    assert checkpoint.expires_at is not None
    training.load_state(first, optimizer=False).result(WAIT)
    training.load_state_with_optimizer(first).result(WAIT)
    second = service.create_training_client_from_state_with_optimizer(first)
    second.forward([datum()], "cross_entropy").result(WAIT)
    info = rest.get_weights_info_by_tinker_path(first).result(WAIT)
    assert (info.base_model, info.lora_rank) == ("embedded/tiny", 2)
    assert rest.copy_weights(first).result(WAIT) != first
    sampler = service.create_sampling_client(
        training.save_weights_for_sampler("s", 3600).result(WAIT).path
    )
    assert sampler.get_base_model() == "embedded/tiny"
    training.optim_step(types.AdamParams(weight_decay=0.1, grad_clip_norm=1)).result(WAIT)


def test_session_lookup_per_release(service: ServiceClient, server: RunningBackend) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    rest = service.create_rest_client()
    if server.protocol == "0.4.1":
        with pytest.raises(APIStatusError) as caught:
            rest.list_sessions().result(WAIT)
        assert caught.value.status_code == 404
        return
    sessions = rest.list_sessions(access_scope="owned").result(WAIT).sessions
    result = [rest.get_session(session).result(WAIT).training_run_ids for session in sessions]
    assert training.model_id in {run for runs in result for run in runs}
    rest.get_training_run(training.model_id, "accessible").result(WAIT)


def test_client_lists_and_deletes_checkpoints(service: ServiceClient) -> None:
    training = service.create_lora_training_client(base_model="embedded/tiny", rank=2)
    saved = training.save_state("listed").result(WAIT).path
    rest = service.create_rest_client()
    run = training.get_info().model_id
    assert rest.list_training_runs(limit=1).result(WAIT).training_runs[0].training_run_id == run
    result = rest.list_checkpoints(run).result(WAIT).checkpoints
    assert [item.tinker_path for item in result] == [saved]
    rest.delete_checkpoint_from_tinker_path(saved).result(WAIT)
    with pytest.raises(APIStatusError) as caught:
        rest.delete_checkpoint_from_tinker_path(saved).result(WAIT)
    assert caught.value.status_code == 404


def test_invalid_datum_is_named_and_does_not_block_later_requests(service: ServiceClient) -> None:
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


def test_training_checkpoint_is_downloaded(
    server: RunningBackend, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """As an archive, or from a server of 0.38.0 as the files of a temporary export."""
    with ServiceClient(base_url=server.url, api_key="tml-test") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=2)
        path = training.save_state("state").result(WAIT).path
        rest = service.create_rest_client()
        saved = rest.download_checkpoint(path, tmp_path, extract=True).result(WAIT)
        assert saved.folder is not None
        names = {file.name for file in saved.files}
        assert names >= {"adapter_config.json", "adapter_model.safetensors"}
        assert names == {file.name for file in saved.folder.iterdir()}
        assert (saved.archive is None) == ("0.38" in request.node.name)
        listed = rest.list_user_checkpoints().result(WAIT).checkpoints
        assert not [item for item in listed if item.checkpoint_type == "external"]
