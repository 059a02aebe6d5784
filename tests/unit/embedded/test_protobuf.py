"""Training data and results have the same meaning as protobuf and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext.embedded.errors import RejectedRequestError, UserFailureError
from tinker_ext.embedded.execution.arrays import decode_tensor
from tinker_ext.embedded.protobuf.requests import decode_loss_request
from tinker_ext.embedded.protobuf.results import to_protobuf

if TYPE_CHECKING:
    from collections.abc import Callable


def request(**changes: Any) -> pb.ForwardBackwardRequest:
    message = pb.ForwardBackwardRequest(model_id="m", seq_id=3, loss_fn="ppo", **changes)
    datum = message.data.add()
    for tokens in ([1, 2], [3]):
        datum.model_input.add().encoded_text.tokens = np.array(tokens, "<i4").tobytes()
    weights = datum.loss_fn_inputs["weights"]
    weights.dense = np.array([1.0, 2.0, 3.0], "<f4").tobytes()
    weights.dtype = pb.DTYPE_FLOAT32
    weights.shape.append(3)
    return message


def decode(message: pb.ForwardBackwardRequest) -> Any:
    return decode_loss_request(message.SerializeToString()).loss_input


def test_request_is_decoded_to_arrays() -> None:
    message = request(forward_only=True)
    decoded = decode_loss_request(message.SerializeToString())
    assert (decoded.model_id, decoded.seq_id, decoded.forward_only) == ("m", 3, True)
    assert not isinstance(decoded.loss_input, UserFailureError)
    assert decoded.loss_input.loss_fn == "ppo"
    assert decoded.loss_input.loss_fn_config is None
    (datum,) = decoded.loss_input.data
    assert datum.tokens.tolist() == [1, 2, 3]
    assert datum.inputs["weights"].tolist() == [1.0, 2.0, 3.0]


def test_seq_id_0_means_none() -> None:
    message = request()
    message.seq_id = 0
    assert decode_loss_request(message.SerializeToString()).seq_id is None


def test_loss_fn_config_v2_has_precedence() -> None:
    message = request(loss_fn_config={"a": 1.0})
    assert decode(message).loss_fn_config == {"a": 1.0}
    message.loss_fn_config_v2["b"].number = 2.0
    assert decode(message).loss_fn_config == {"b": 2.0}
    message.loss_fn_config_v2["c"].text = "x"
    assert "loss_fn_config['c']: must be a number" in str(decode(message))


def test_csr_tensor_is_decoded_to_dense() -> None:
    message = request()
    tensor = message.data[0].loss_fn_inputs["target_tokens"]
    tensor.dtype = pb.DTYPE_INT64
    tensor.shape.extend([2, 3])
    tensor.sparse_csr.values = np.array([7, 8, 9], "<i8").tobytes()
    tensor.sparse_csr.crow_indices = np.array([0, 1, 3], "<i8").tobytes()
    tensor.sparse_csr.col_indices = np.array([2, 0, 1], "<i8").tobytes()
    assert decode(message).data[0].inputs["target_tokens"].tolist() == [[0, 0, 7], [8, 9, 0]]
    tensor.sparse_csr.col_indices = np.array([3, 0, 1], "<i8").tobytes()
    assert "CSR indices don't fit a matrix" in str(decode(message))
    tensor.sparse_csr.crow_indices = np.array([0, 2**62, 3], "<i8").tobytes()
    assert "CSR indices don't fit a matrix" in str(decode(message))


def test_empty_tensor_with_invalid_shape_fails() -> None:
    message = request()
    tensor = message.data[0].loss_fn_inputs["weights"]
    tensor.dense = b""
    tensor.ClearField("shape")
    tensor.shape.extend([0, 2**62, 2**62])
    assert "is not a valid shape" in str(decode(message))


def _image(datum: pb.Datum) -> None:
    datum.model_input.add().image.data = b"x"


def _empty_chunk(datum: pb.Datum) -> None:
    datum.model_input.add()


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
    ("change", "expected"),
    [
        (
            _image,
            "data[0].model_input.chunks[2]: this model reads text, not image: the embedded models "
            "have no vision or audio encoder",
        ),
        (_empty_chunk, "data[0].model_input.chunks[2]: the chunk is empty; expected encoded text"),
        (_odd_bytes, f"{WEIGHTS}: 3 bytes are not an array"),
        (_other_shape, f"{WEIGHTS}: 3 numbers don't fit the shape [3, 2]"),
        (_no_dtype, f"{WEIGHTS}: must be float32 or int64"),
        (_infinite, f"{WEIGHTS}: all numbers must be finite"),
    ],
)
def test_invalid_data_is_returned_as_error_with_location(
    change: Callable[[pb.Datum], None], expected: str
) -> None:
    message = request()
    change(message.data[0])
    error = decode(message)
    assert isinstance(error, UserFailureError)
    assert expected in str(error)


@pytest.mark.parametrize(
    "body", [b"\xff\xff", b"", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_malformed_message_is_rejected(body: bytes) -> None:
    with pytest.raises(RejectedRequestError) as caught:
        decode_loss_request(body)
    assert caught.value.status == 422


def tensor(data: list[float], shape: list[int]) -> dict[str, Any]:
    return {"data": data, "dtype": "float32", "shape": shape}


def test_outputs_of_equal_shape_share_a_record() -> None:
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
    encoded = to_protobuf(orjson.dumps(response))
    assert encoded is not None
    message = pb.ForwardBackwardOutput.FromString(encoded)
    assert (message.loss_fn_output_type, dict(message.metrics)) == ("X", {"loss:sum": 1.5})
    flat, matrix = message.loss_fn_outputs
    assert (flat.num_datums, matrix.num_datums) == (2, 1)
    field = flat.fields["logprobs"]
    values = np.frombuffer(field.data, "<f4")
    assert values.tolist() == np.array([-1.5, -2.0, -0.1], "f4").tolist()
    assert np.frombuffer(field.offsets, "<i8").tolist() == [0, 4, 12]
    assert list(matrix.fields["logprobs"].trailing_shape) == [2]


def test_missing_logprobs_are_encoded_as_nan_and_padding() -> None:
    response = {
        "type": "sample",
        "sequences": [{"tokens": [5, 6], "logprobs": [-0.5, -1.0], "stop_reason": "stop"}],
        "prompt_logprobs": [None, -0.25],
        "topk_prompt_logprobs": [None, [[3, -0.5], [4, -1.0]]],
    }
    encoded = to_protobuf(orjson.dumps(response))
    assert encoded is not None
    message = pb.SampleResponse.FromString(encoded)
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


def test_sample_fields_of_later_releases_are_encoded() -> None:
    sequence = {
        "tokens": [5],
        "logprobs": [-0.5],
        "stop_reason": "stop",
        "topk_logprobs": [[[5, -0.5]]],
    }
    ids = {"data": [3, 4], "dtype": "int64", "shape": [1, 2]}
    response = {
        "type": "sample",
        "sequences": [sequence],
        "target_prompt_logprobs": tensor([-1.0, 0.0], [1, 2]),
        "prompt_alt_tokens": {"tokens": ids, "logprobs": tensor([-1.0, -2.0], [1, 2])},
    }
    encoded = to_protobuf(orjson.dumps(response))
    assert encoded is not None
    message = pb.SampleResponse.FromString(encoded)
    topk = message.sequences[0].topk_sampled_logprobs
    assert (topk.k, topk.length, np.frombuffer(topk.token_ids, "<i4").tolist()) == (1, 1, [5])
    targets = message.target_prompt_logprobs
    assert (targets.dtype, list(targets.shape)) == (pb.DTYPE_FLOAT32, [1, 2])
    assert np.frombuffer(targets.dense, "<f4").tolist() == [-1, 0]
    assert np.frombuffer(message.prompt_alt_tokens.tokens.dense, "<i8").tolist() == [3, 4]
    assert np.frombuffer(message.prompt_alt_tokens.logprobs.dense, "<f4").tolist() == [-1, -2]


def test_csr_target_logprobs_are_encoded_as_csr() -> None:
    indices = {"sparse_crow_indices": [0, 1], "sparse_col_indices": [1]}
    response = {"sequences": [], "target_prompt_logprobs": {**tensor([-1.0], [1, 2]), **indices}}
    encoded = to_protobuf(orjson.dumps(response))
    assert encoded is not None
    result = pb.SampleResponse.FromString(encoded).target_prompt_logprobs
    assert (result.dtype, list(result.shape)) == (pb.DTYPE_FLOAT32, [1, 2])
    assert np.frombuffer(result.sparse_csr.values, "<f4").tolist() == [-1]
    assert np.frombuffer(result.sparse_csr.crow_indices, "<i8").tolist() == [0, 1]
    assert np.frombuffer(result.sparse_csr.col_indices, "<i8").tolist() == [1]


CSR: dict[str, Any] = {
    **tensor([7.0, 8.0], [2, 3]),
    "sparse_crow_indices": [0, 1, 2],
    "sparse_col_indices": [2, 0],
}


def test_csr_tensor_as_json_is_decoded_to_dense() -> None:
    assert decode_tensor(CSR, where="x").tolist() == [[0, 0, 7], [8, 0, 0]]
    assert decode_tensor(CSR, where="x", fill=-1).tolist() == [[-1, -1, 7], [8, -1, -1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sparse_col_indices": None}, "x: a CSR tensor needs both lists"),
        ({"sparse_crow_indices": None}, "x: a CSR tensor needs both lists"),
        ({"sparse_col_indices": [2, 3]}, "x: the CSR indices don't fit"),
        ({"sparse_col_indices": [2, 0.5]}, "x: int64 data"),
        ({"shape": None}, "x: the CSR indices don't fit"),
        ({"shape": [2, 2**40]}, "x: a sparse matrix may have at most"),
    ],
)
def test_invalid_csr_tensor_fails_with_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserFailureError, match=message):
        decode_tensor({**CSR, **change}, where="x")


def test_other_results_have_no_protobuf_message() -> None:
    assert to_protobuf(b'{"type": "optim_step"}') is None
    assert to_protobuf(b'{"error": "no", "category": "user"}') is None
