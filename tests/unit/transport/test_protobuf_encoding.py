"""The encoder of training data writes the bytes that the generated protobuf module writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tinker_ext import types
from tinker_ext.protocol.server_protocol import BASELINE
from tinker_ext.transport.protobuf import encode_data, encode_head
from tinker_ext.transport.training_data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DTYPES = {"float32": (pb.DTYPE_FLOAT32, "<f4"), "int64": (pb.DTYPE_INT64, "<i8")}
LARGEST_TOKEN = 2**31 - 1


def generated(data: Sequence[tinker.Datum], loss_fn: str, config: dict[str, Any] | None) -> bytes:
    """The body as the generated module encodes it."""
    request = pb.ForwardBackwardRequest(loss_fn=loss_fn)
    for name, setting in (config or {}).items():
        if isinstance(setting, str):
            request.loss_fn_config_v2[name].text = setting
        else:
            request.loss_fn_config[name] = setting
            request.loss_fn_config_v2[name].number = setting
    loss = request.SerializeToString(deterministic=True)
    request = pb.ForwardBackwardRequest()
    for datum in data:
        add_datum(request.data.add(), datum)
    return loss + request.SerializeToString(deterministic=True)


def add_datum(message: pb.Datum, datum: tinker.Datum) -> None:
    for chunk in datum.model_input.chunks:
        added = message.model_input.add()
        if isinstance(chunk, tinker.EncodedTextChunk):
            added.encoded_text.tokens = np.array(chunk.tokens, "<i4").tobytes()
        elif isinstance(chunk, tinker.ImageChunk):
            added.image.data, added.image.format = chunk.data, chunk.format
            if chunk.expected is not None:
                added.image.expected_tokens = chunk.expected
        elif isinstance(chunk, tinker.DmelChunk):
            added.dmel.dmel = chunk.dmel
    for name, tensor in datum.loss_fn_inputs.items():
        dtype, wire = DTYPES[tensor.dtype]
        target = message.loss_fn_inputs[name]
        target.dtype = dtype
        target.shape.extend([len(tensor.data)] if tensor.shape is None else tensor.shape)
        if tensor.sparse_crow_indices is None:
            target.dense = np.array(tensor.data, wire).tobytes()
        else:
            rows = target.sparse_csr
            rows.values = np.array(tensor.data, wire).tobytes()
            rows.crow_indices = np.array(tensor.sparse_crow_indices, "<i8").tobytes()
            rows.col_indices = np.array(tensor.sparse_col_indices, "<i8").tobytes()
    for field, spans in (
        (message.model_input_spans, datum.model_input_spans),
        (message.loss_fn_input_spans, datum.loss_fn_input_spans),
    ):
        for span in spans or []:
            sampled = isinstance(span, tinker.SampledProvenanceSpan)
            kind = "sampled_tokens" if sampled else "prompt_tokens"
            part = getattr(field.add(), kind)
            part.sequence_id, part.offset, part.length = span.sequence_id, span.offset, span.length


def datum(tokens: Any = (1, 2, 3), **inputs: Any) -> tinker.Datum:
    return tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens), loss_fn_inputs=inputs)


ROWS = np.zeros((3, 40), dtype=np.int64)
ROWS[1, 7] = 5
CASES: dict[str, tinker.Datum] = {
    "lists": datum(target_tokens=[2, 3, 4], weights=[0.5, 0.0, 1.0]),
    "arrays": datum(np.arange(300), target_tokens=np.arange(300), weights=np.ones(300, "f4")),
    "no inputs": datum(),
    "keys out of order": datum(weights=[1.0], advantages=[0.5], target_tokens=[-100], b=[1]),
    "key of two bytes per character": datum(größe=[1.0]),
    "empty tensor": datum(advantages=np.zeros(0, "f4")),
    "empty matrix": datum(advantages=np.zeros((0, 4), "f4")),
    "matrix": datum(target_tokens=np.arange(600).reshape(3, 200)),
    "largest token": datum([LARGEST_TOKEN]),
    "float64, strided": datum(np.arange(20)[::2], weights=np.linspace(0, 1, 20)[::2]),
    "sparse": datum(target_tokens=tinker.TensorData.from_torch_sparse(ROWS)),
    "sparse without values": datum(
        target_tokens=tinker.TensorData.from_torch_sparse(np.zeros((3, 40), np.int64))
    ),
    "several chunks": tinker.Datum(
        model_input=tinker.ModelInput(
            chunks=[
                tinker.EncodedTextChunk(tokens=[1]),
                tinker.ImageChunk(data=b"\x89PNG", format="png", expected_tokens=4),
                tinker.EncodedTextChunk(tokens=[]),
                tinker.ImageChunk(data=b"\xff\xd8", format="jpeg"),
            ]
        )
    ),
    "spans": datum([1, 2]).with_provenance(
        [tinker.PromptProvenanceSpan(sequence_id="s:0", offset=300, length=2)],
        [tinker.SampledProvenanceSpan(sequence_id="s:1", length=2)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_encoded_datum_equals_generated_message(name: str) -> None:
    encoding = encode_data([CASES[name]], "cross_entropy", None)
    expected = generated([CASES[name]], "cross_entropy", None)
    assert encoding.to_bytes() == expected
    assert encoding.size == len(expected)


def test_encoded_batch_equals_generated_message() -> None:
    config: types.LossFnConfig = {"level": "token", "clip": 0.5, "a": 0.0}
    encoding = encode_data(list(CASES.values()), "ppo", config)
    assert encoding.to_bytes() == generated(list(CASES.values()), "ppo", dict(config))


@given(
    st.lists(st.integers(0, LARGEST_TOKEN), max_size=300),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=300),
    st.dictionaries(
        # Of equal length: of two keys of which one begins with the other, the generated module
        # writes the longer one first, others don't.
        st.text(st.characters(codec="utf-8"), min_size=4, max_size=4),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
        max_size=3,
    ),
)
def test_any_numbers_equal_generated_message(
    tokens: list[int], weights: list[float], inputs: dict[str, list[int]]
) -> None:
    item = tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens),
        loss_fn_inputs={**inputs, "lr": weights},
    )
    assert encode_data([item], "x", None).to_bytes() == generated([item], "x", None)


def test_head_and_data_are_one_message() -> None:
    encoding = encode_data([datum()], "cross_entropy", None)
    message = pb.ForwardBackwardRequest.FromString(
        encoding.to_bytes(encode_head("model", 7, forward_only=True))
    )
    assert (message.model_id, message.seq_id, message.forward_only) == ("model", 7, True)
    assert (message.loss_fn, len(message.data)) == ("cross_entropy", 1)


def test_array_changed_after_construction_does_not_change_the_encoding() -> None:
    tokens, weights = np.arange(4), np.ones(4, "f4")
    item = datum(tokens, weights=weights)
    encoding = encode_data([item], "x", None)
    expected = encoding.to_bytes()
    tokens[:], weights[:] = 9, 9.0
    assert encoding.to_bytes() == expected


@pytest.mark.parametrize("convert", [list, np.array])
def test_token_beyond_int32_is_rejected_with_its_chunk(convert: Callable[[Any], Any]) -> None:
    with pytest.raises(tinker.InvalidInputError, match="32-bit integers") as caught:
        encode_data([datum(), datum(convert([1, LARGEST_TOKEN + 1]))], "x", None)
    assert caught.value.where == "data[1].model_input.chunks[0]"


@pytest.mark.parametrize(
    ("item", "loss_fn", "config", "where"),
    [
        (datum(), "\ud800", None, "loss_fn"),
        (datum(), "x", {"\ud800": 1.0}, "loss_fn_config"),
        (datum(), "x", {"level": "\ud800"}, "loss_fn_config['level']"),
        (datum(**{"\ud800": [1]}), "x", None, "data[0].loss_fn_inputs"),
    ],
)
def test_lone_surrogate_in_training_data_is_rejected(
    item: tinker.Datum, loss_fn: str, config: types.LossFnConfig | None, where: str
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="not valid Unicode") as caught:
        TrainingData("forward_backward", [item], loss_fn, config, BASELINE)
    assert caught.value.where == where
