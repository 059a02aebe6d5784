"""Training data and results as protobuf mean what they mean as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext.embedded.execution import arrays
from tinker_ext.embedded.execution.answers import UserFailureError
from tinker_ext.embedded.protobuf.requests import loss_request
from tinker_ext.embedded.protobuf.results import as_message
from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Callable


def request(**changes: Any) -> pb.ForwardBackwardRequest:
    made = pb.ForwardBackwardRequest(model_id="m", seq_id=3, loss_fn="ppo", **changes)
    datum = made.data.add()
    for tokens in ([1, 2], [3]):
        datum.model_input.add().encoded_text.tokens = np.array(tokens, "<i4").tobytes()
    weights = datum.loss_fn_inputs["weights"]
    weights.dense = np.array([1.0, 2.0, 3.0], "<f4").tobytes()
    weights.dtype = pb.DTYPE_FLOAT32
    weights.shape.append(3)
    return made


def read(made: pb.ForwardBackwardRequest) -> Any:
    return loss_request(made.SerializeToString()).given


def test_a_request_is_read_as_arrays() -> None:
    made = request(forward_only=True)
    asked = loss_request(made.SerializeToString())
    assert (asked.model_id, asked.seq_id, asked.forward_only) == ("m", 3, True)
    assert not isinstance(asked.given, UserFailureError)
    assert asked.given.loss_fn == "ppo"
    assert asked.given.loss_fn_config is None
    (datum,) = asked.given.data
    assert datum.tokens.tolist() == [1, 2, 3]
    assert datum.inputs["weights"].tolist() == [1.0, 2.0, 3.0]


def test_number_0_stands_for_none() -> None:
    made = request()
    made.seq_id = 0
    assert loss_request(made.SerializeToString()).seq_id is None


def test_settings_of_the_loss_come_from_the_newer_field_where_it_is_filled() -> None:
    made = request(loss_fn_config={"a": 1.0})
    assert read(made).loss_fn_config == {"a": 1.0}
    made.loss_fn_config_v2["b"].number = 2.0
    assert read(made).loss_fn_config == {"b": 2.0}
    made.loss_fn_config_v2["c"].text = "x"
    assert "loss_fn_config['c']: must be a number" in str(read(made))


def test_compressed_rows_become_the_matrix_they_stand_for() -> None:
    made = request()
    tensor = made.data[0].loss_fn_inputs["target_tokens"]
    tensor.dtype = pb.DTYPE_INT64
    tensor.shape.extend([2, 3])
    tensor.sparse_csr.values = np.array([7, 8, 9], "<i8").tobytes()
    tensor.sparse_csr.crow_indices = np.array([0, 1, 3], "<i8").tobytes()
    tensor.sparse_csr.col_indices = np.array([2, 0, 1], "<i8").tobytes()
    assert read(made).data[0].inputs["target_tokens"].tolist() == [[0, 0, 7], [8, 9, 0]]
    tensor.sparse_csr.col_indices = np.array([3, 0, 1], "<i8").tobytes()
    assert "compressed rows don't make a matrix" in str(read(made))
    tensor.sparse_csr.crow_indices = np.array([0, 2**62, 3], "<i8").tobytes()
    assert "compressed rows don't make a matrix" in str(read(made))


def test_an_empty_array_cannot_have_any_shape() -> None:
    made = request()
    tensor = made.data[0].loss_fn_inputs["weights"]
    tensor.dense = b""
    tensor.ClearField("shape")
    tensor.shape.extend([0, 2**62, 2**62])
    assert "is no shape" in str(read(made))


def _image(datum: pb.Datum) -> None:
    datum.model_input.add().image.data = b"x"


def _odd_bytes(datum: pb.Datum) -> None:
    datum.loss_fn_inputs["weights"].dense = b"xyz"


def _other_shape(datum: pb.Datum) -> None:
    datum.loss_fn_inputs["weights"].shape.append(2)


def _no_dtype(datum: pb.Datum) -> None:
    datum.loss_fn_inputs["weights"].dtype = pb.DTYPE_UNSPECIFIED


def _infinite(datum: pb.Datum) -> None:
    datum.loss_fn_inputs["weights"].dense = np.array([1, np.inf, 1], "<f4").tobytes()


WEIGHTS = "data[0].loss_fn_inputs['weights']"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_image, "data[0].model_input.chunks[2]: this model reads text, not image"),
        (_odd_bytes, f"{WEIGHTS}: 3 bytes are no array"),
        (_other_shape, f"{WEIGHTS}: 3 numbers don't make the shape [3, 2]"),
        (_no_dtype, f"{WEIGHTS}: must be float32 or int64"),
        (_infinite, f"{WEIGHTS}: every number must be finite"),
    ],
)
def test_a_fault_in_the_data_is_named_and_left_for_its_turn(
    spoil: Callable[[pb.Datum], None], words: str
) -> None:
    made = request()
    spoil(made.data[0])
    fault = read(made)
    assert isinstance(fault, UserFailureError)
    assert words in str(fault)


@pytest.mark.parametrize(
    "body", [b"\xff\xff", b"", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_what_is_no_request_is_refused_at_once(body: bytes) -> None:
    with pytest.raises(RejectedRequestError) as caught:
        loss_request(body)
    assert caught.value.status == 422


def tensor(data: list[float], shape: list[int]) -> dict[str, Any]:
    return {"data": data, "dtype": "float32", "shape": shape}


def test_outputs_are_grouped_into_records_of_the_same_shape() -> None:
    outputs = [
        {"logprobs": tensor([-1.5], [1])},
        {"logprobs": tensor([-2.0, -0.1], [2])},
        {"logprobs": tensor([1, 2, 3, 4], [2, 2])},
    ]
    response = {
        "loss_fn_output_type": "X",
        "loss_fn_outputs": outputs,
        "metrics": {"loss:sum": 1.5},
    }
    packed = as_message(orjson.dumps(response))
    assert packed is not None
    message = pb.ForwardBackwardOutput.FromString(packed)
    assert (message.loss_fn_output_type, dict(message.metrics)) == ("X", {"loss:sum": 1.5})
    flat, matrix = message.loss_fn_outputs
    assert (flat.num_datums, matrix.num_datums) == (2, 1)
    field = flat.fields["logprobs"]
    values = np.frombuffer(field.data, "<f4")
    assert values.tolist() == np.array([-1.5, -2.0, -0.1], "f4").tolist()
    assert np.frombuffer(field.offsets, "<i8").tolist() == [0, 4, 12]
    assert list(matrix.fields["logprobs"].trailing_shape) == [2]


def test_a_sample_says_nothing_where_there_is_nothing() -> None:
    response = {
        "type": "sample",
        "sequences": [{"tokens": [5, 6], "logprobs": [-0.5, -1.0], "stop_reason": "stop"}],
        "prompt_logprobs": [None, -0.25],
        "topk_prompt_logprobs": [None, [[3, -0.5], [4, -1.0]]],
    }
    packed = as_message(orjson.dumps(response))
    assert packed is not None
    message = pb.SampleResponse.FromString(packed)
    (sequence,) = message.sequences
    assert sequence.stop_reason == pb.STOP_REASON_STOP
    assert np.frombuffer(sequence.tokens, "<i4").tolist() == [5, 6]
    scores = np.frombuffer(message.prompt_logprobs, "<f4")
    assert np.isnan(scores[0])
    assert scores[1] == -0.25
    topk = message.topk_prompt_logprobs
    assert (topk.k, topk.length) == (2, 2)
    assert np.frombuffer(topk.token_ids, "<i4").tolist() == [0, 0, 3, 4]
    assert np.frombuffer(topk.logprobs, "<f4").tolist() == [-99999, -99999, -0.5, -1.0]


def test_what_later_releases_tell_of_samples_is_packed() -> None:
    one = {"tokens": [5], "logprobs": [-0.5], "stop_reason": "stop", "topk_logprobs": [[[5, -0.5]]]}
    ids = {"data": [3, 4], "dtype": "int64", "shape": [1, 2]}
    response = {
        "type": "sample",
        "sequences": [one],
        "target_prompt_logprobs": tensor([-1.0, 0.0], [1, 2]),
        "prompt_alt_tokens": {"tokens": ids, "logprobs": tensor([-1.0, -2.0], [1, 2])},
    }
    packed = as_message(orjson.dumps(response))
    assert packed is not None
    message = pb.SampleResponse.FromString(packed)
    topk = message.sequences[0].topk_sampled_logprobs
    assert (topk.k, topk.length, np.frombuffer(topk.token_ids, "<i4").tolist()) == (1, 1, [5])
    targets = message.target_prompt_logprobs
    assert (targets.dtype, list(targets.shape)) == (pb.DTYPE_FLOAT32, [1, 2])
    assert np.frombuffer(targets.dense, "<f4").tolist() == [-1, 0]
    assert np.frombuffer(message.prompt_alt_tokens.tokens.dense, "<i8").tolist() == [3, 4]
    assert np.frombuffer(message.prompt_alt_tokens.logprobs.dense, "<f4").tolist() == [-1, -2]


def test_what_is_told_in_compressed_rows_is_packed_so() -> None:
    rows = {"sparse_crow_indices": [0, 1], "sparse_col_indices": [1]}
    response = {"sequences": [], "target_prompt_logprobs": {**tensor([-1.0], [1, 2]), **rows}}
    packed = as_message(orjson.dumps(response))
    assert packed is not None
    result = pb.SampleResponse.FromString(packed).target_prompt_logprobs
    assert (result.dtype, list(result.shape)) == (pb.DTYPE_FLOAT32, [1, 2])
    assert np.frombuffer(result.sparse_csr.values, "<f4").tolist() == [-1]
    assert np.frombuffer(result.sparse_csr.crow_indices, "<i8").tolist() == [0, 1]
    assert np.frombuffer(result.sparse_csr.col_indices, "<i8").tolist() == [1]


ROWS: dict[str, Any] = {
    **tensor([7.0, 8.0], [2, 3]),
    "sparse_crow_indices": [0, 1, 2],
    "sparse_col_indices": [2, 0],
}


def test_compressed_rows_as_json_become_the_same_matrix() -> None:
    assert arrays.tensor(ROWS, where="x").tolist() == [[0, 0, 7], [8, 0, 0]]
    assert arrays.tensor(ROWS, where="x", fill=-1).tolist() == [[-1, -1, 7], [8, -1, -1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sparse_col_indices": None}, "x: compressed rows have two lists"),
        ({"sparse_crow_indices": None}, "x: compressed rows have two lists"),
        ({"sparse_col_indices": [2, 3]}, "x: the compressed rows don't make"),
        ({"sparse_col_indices": [2, 0.5]}, "x: int64 data"),
        ({"shape": None}, "x: the compressed rows don't make"),
        ({"shape": [2, 2**40]}, "x: a matrix may have"),
    ],
)
def test_compressed_rows_that_make_no_matrix_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserFailureError, match=words):
        arrays.tensor({**ROWS, **change}, where="x")


def test_other_answers_stay_json() -> None:
    assert as_message(b'{"type": "optim_step"}') is None
    assert as_message(b'{"error": "no", "category": "user"}') is None
