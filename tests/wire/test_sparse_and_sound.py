"""CSR tensors and audio on the wire, in the form that the server accepts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tests.builders import announce
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.transport.protobuf import encode_data
from tinker_ext.types import TensorData

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import Received

    Fits = Callable[[Received, str], None]

ROWS: dict[str, Any] = {
    "data": [5, 6, 7],
    "dtype": "int64",
    "shape": [2, 9],
    "sparse_crow_indices": [0, 2, 3],
    "sparse_col_indices": [0, 8, 4],
}
FULL = [5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0]
AUDIO = bytes([1, 1, 2, 9, 9])


def datum(*more: tinker.ModelInputChunk) -> tinker.Datum:
    return tinker.Datum(
        model_input=tinker.ModelInput(chunks=[*tinker.ModelInput.from_ints([1, 2]).chunks, *more]),
        loss_fn_inputs={"target_tokens": TensorData(**ROWS)},
    )


def trained(server: FakeServer, *data: tinker.Datum) -> list[Received]:
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward(list(data), "cross_entropy").result(10)
        training.forward(list(data), "cross_entropy").result(10)
    return [*server.calls("forward_backward"), *server.calls("forward")]


def targets(received: Received) -> Any:
    [inputs] = received.body[f"{received.operation}_input"]["data"]
    return inputs["loss_fn_inputs"]["target_tokens"]


def test_csr_is_sent_dense_to_0_4_1(fits: Fits) -> None:
    for sent in trained(FakeServer(), datum()):
        fits(sent, "0.4.1")
        assert targets(sent) == {"data": FULL, "dtype": "int64", "shape": [2, 9]}


def test_csr_is_sent_to_later_releases(fits: Fits) -> None:
    server = FakeServer()
    announce(server, latest=False)
    for sent in trained(server, datum()):
        fits(sent, "0.24")
        assert targets(sent) == ROWS


def test_csr_rejected_resends_dense_with_same_seq_id() -> None:
    server = FakeServer()
    announce(server, latest=False)
    place = ["body", "forward_backward_input", "data", 0, "loss_fn_inputs", "target_tokens"]
    names = ("sparse_crow_indices", "sparse_col_indices")
    faults = [{"type": "extra_forbidden", "loc": [*place, name], "msg": "x"} for name in names]
    server.respond("forward_backward", Reply(422, {"detail": faults}))
    first, again, passed = trained(server, datum())
    assert [item.body["seq_id"] for item in (first, again, passed)] == [1, 1, 2]
    assert targets(first) == ROWS
    assert targets(again) == {"data": FULL, "dtype": "int64", "shape": [2, 9]}
    assert targets(passed) == ROWS  # The rejection of one operation does not change another.


def test_csr_and_audio_are_encoded_as_protobuf() -> None:
    encoding = encode_data([datum(tinker.DmelChunk(dmel=AUDIO))], "cross_entropy", None)
    [sent] = pb.ForwardBackwardRequest.FromString(encoding.to_bytes()).data
    assert sent.model_input[1].dmel.dmel == AUDIO
    tensor = sent.loss_fn_inputs["target_tokens"]
    assert tensor.WhichOneof("encoding") == "sparse_csr"
    assert (tensor.dtype, list(tensor.shape)) == (pb.DTYPE_INT64, [2, 9])
    rows = tensor.sparse_csr
    packed = (rows.values, rows.crow_indices, rows.col_indices)
    assert [np.frombuffer(item, "<i8").tolist() for item in packed] == [
        ROWS["data"],
        ROWS["sparse_crow_indices"],
        ROWS["sparse_col_indices"],
    ]


def test_audio_is_sent_as_base64_in_training_and_sampling(fits: Fits) -> None:
    server = FakeServer()
    announce(server, latest=False)
    sound = tinker.DmelChunk(dmel=AUDIO)
    chunk = {"type": "dmel", "dmel": base64.b64encode(AUDIO).decode()}
    [sent, _] = trained(server, datum(sound))
    fits(sent, "0.24")
    assert sent.body["forward_backward_input"]["data"][0]["model_input"]["chunks"][1] == chunk
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        prompt = tinker.ModelInput(chunks=[sound])
        sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(10)
    [call] = server.calls("asample")
    fits(call, "0.24")
    assert call.body["prompt"]["chunks"] == [chunk]


def test_target_prompt_logprobs_are_sent_and_received_as_csr(fits: Fits) -> None:
    server = FakeServer()
    announce(server)
    ids = np.full((2, 9), -1)
    ids[0, 3] = 7
    targets_tensor = TensorData.from_torch_sparse(ids, pad_value=-1)
    scores: dict[str, Any] = {"sparse_crow_indices": [0, 1, 1], "sparse_col_indices": [3]}
    scores |= {"data": [-0.5], "dtype": "float32", "shape": [2, 9]}
    server.respond(
        "asample",
        server.submitted(
            {
                "type": "sample",
                "sequences": [{"tokens": [1], "logprobs": [-1.0], "stop_reason": "length"}],
                "target_prompt_logprobs": scores,
            }
        ),
    )
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        result = sampler.sample(
            tinker.ModelInput.from_ints([1, 2, 3]),
            1,
            tinker.SamplingParams(max_tokens=1),
            target_prompt_logprobs=targets_tensor,
        ).result(10)
    [call] = server.calls("asample")
    fits(call, "0.38")
    csr: dict[str, Any] = {"sparse_crow_indices": [0, 1, 1], "sparse_col_indices": [3]}
    csr |= {"data": [7], "dtype": "int64", "shape": [2, 9]}
    assert call.body["target_prompt_logprobs"] == csr
    assert result.target_prompt_logprobs is not None
    assert result.target_prompt_logprobs.sparse_col_indices == [3]
    assert result.target_prompt_logprobs.to_numpy()[0, 3] == pytest.approx(-0.5)
