"""TensorData: dtypes, shapes, encoding, decoding and repr."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import TensorData


@pytest.mark.parametrize(
    ("numpy_dtype", "expected"),
    [
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float32"),
        (">f8", "float32"),
        ("int8", "int64"),
        ("int32", "int64"),
        ("int64", "int64"),
        (">i4", "int64"),
        ("uint8", "int64"),
        ("uint64", "int64"),
    ],
)
def test_floats_become_float32_and_integers_int64(numpy_dtype: str, expected: str) -> None:
    tensor = TensorData.from_numpy(np.array([1, 2, 3], dtype=numpy_dtype))
    assert tensor.dtype == expected
    assert tensor.to_numpy().dtype == np.dtype(expected)
    assert tensor.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.array([True, False]), "bool"),
        (np.array([1j]), "complex"),
        (np.array([None, 1], dtype=object), "object"),
        (np.array(["a"]), "text"),
        (np.array([2**63], dtype=np.uint64), "out of range for int64"),
    ],
)
def test_unsupported_array_kinds_rejected(array: Any, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        TensorData.from_numpy(array)
    assert caught.value.where == "array"


@pytest.mark.parametrize(
    "make",
    [
        lambda a: np.asfortranarray(a),
        lambda a: np.ascontiguousarray(a.T).T,
        lambda a: np.repeat(a, 2, axis=0)[::2],
    ],
    ids=["fortran", "transposed", "strided"],
)
def test_data_is_row_major_for_every_memory_layout(
    make: Callable[[Any], Any], wire: Callable[[Any], Any]
) -> None:
    array = make(np.arange(6, dtype=np.int64).reshape(2, 3))
    body = wire(TensorData.from_numpy(array))
    assert body == {"data": [0, 1, 2, 3, 4, 5], "dtype": "int64", "shape": [2, 3]}


def test_array_is_passed_to_encoder_as_array() -> None:
    model = TensorData.from_numpy(np.arange(4.0)).to_api()
    data: object = model.data
    assert isinstance(data, np.ndarray)
    assert data.flags.c_contiguous
    assert data.dtype == np.float32


def test_list_is_passed_to_encoder_as_list() -> None:
    assert TensorData([1, 2], dtype="float32").to_api().data == [1, 2]


def test_values_are_copied() -> None:
    array, items = np.zeros(3), [0, 0, 0]
    tensors = [TensorData.from_numpy(array), TensorData(items, dtype="int64")]
    array[:] = 7
    items[0] = 7
    assert [tensor.tolist() for tensor in tensors] == [[0, 0, 0], [0, 0, 0]]


def test_returned_arrays_are_copies_and_tensor_is_frozen() -> None:
    tensor = TensorData.from_numpy(np.zeros(3))
    tensor.to_numpy()[:] = 7
    assert tensor.tolist() == [0, 0, 0]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        tensor.dtype = "int64"  # type: ignore[misc]  # the test checks that it raises


@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], ((1, 2), (3, 4)), [np.array([1, 2]), [3, 4]]])
def test_nested_lists_become_matrix(data: Any) -> None:
    tensor = TensorData(data)
    assert (tensor.shape, tensor.data, tensor.dtype) == ([2, 2], [1, 2, 3, 4], "int64")


@pytest.mark.parametrize(
    ("data", "dtype", "where", "word"),
    [
        ([[1, 2], [3]], None, "data", "same length"),
        ([1, True], None, "data[1]", "bool"),
        ([1.0, None], None, "data[1]", "None"),
        ([1, "2"], None, "data[1]", "str"),
        ([1, 2.5], "int64", "data[1]", "2.5"),
        ([0, 2**63], None, "data[1]", "int64"),
        ([1.0, 10**400], None, "data[1]", "float32"),
        ([1e20, -(10**400)], None, "data[1]", "float32"),
        ("12", None, "data", "str"),
        (b"12", None, "data", "bytes"),
        (5, None, "data", "int"),
        (None, None, "data", "None"),
        ({"a": 1}, None, "data", "dict"),
        (np.array([1.5]), "int64", "data", "float64"),
        ([1], "int32", "dtype", "int32"),
    ],
)
def test_invalid_numbers_rejected_with_path(data: Any, dtype: Any, where: str, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        TensorData(data, dtype=dtype)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "data", [[np.float32(1), np.float32(2)], range(1, 3), (1, 2), [np.int16(1), 2]]
)
def test_other_sequences_accepted(data: Any) -> None:
    assert TensorData(data).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([3], r"\[3\] has 3 elements, but the data has 2"),
        ([2, 2], r"\[2, 2\] has 4 elements, but the data has 2"),
        ([-1, -2], "expected a list of non-negative integers"),
        ([0], r"\[0\] has 0 elements, but the data has 2"),
    ],
)
def test_shape_must_match_number_of_values(shape: list[int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        TensorData([1, 2], shape=shape)
    assert caught.value.where == "shape"


@pytest.mark.parametrize("shape", [2, "2", [2.5], [True, 2], [None], [2**63, 0]])
def test_shape_must_be_non_negative_integers(shape: Any) -> None:
    rows: dict[str, Any] = {"sparse_crow_indices": [0, 1], "sparse_col_indices": [0]}
    for more in ({}, rows):
        with pytest.raises(
            InvalidInputError, match="expected a list of non-negative integers"
        ) as caught:
            TensorData([1, 2], shape=shape, **more)
        assert caught.value.where == "shape"


def test_shape_may_be_array() -> None:
    sizes: Any = np.array([2, 1])
    assert TensorData([1, 2], shape=sizes).shape == [2, 1]


def test_shape_argument_reshapes_flat_list() -> None:
    assert TensorData([1, 2, 3, 4], shape=(2, 2)).tolist() == [[1, 2], [3, 4]]


def test_scalars_and_empty_tensors_round_trip(wire: Callable[[Any], Any]) -> None:
    scalar = TensorData.from_numpy(np.array(2.5))
    assert wire(scalar) == {"data": [2.5], "dtype": "float32", "shape": []}
    assert scalar.tolist() == 2.5
    for empty in (TensorData([], dtype="float32"), TensorData.from_numpy(np.zeros(0))):
        assert wire(empty) == {"data": [], "dtype": "float32", "shape": [0]}
        assert empty.to_numpy().shape == (0,)


def test_data_is_list_of_unrounded_numbers() -> None:
    assert TensorData([0.1, 1], dtype="float32").data == [0.1, 1]
    assert type(TensorData.from_numpy(np.arange(3)).data) is list


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e39])
@pytest.mark.parametrize("form", [list, np.array])
def test_first_not_finite_returns_index(bad: float, form: Callable[[list[float]], Any]) -> None:
    tensor = TensorData(form([0.5, 1.0, bad, bad]), dtype="float32")
    assert tensor.first_not_finite() == 2


@pytest.mark.parametrize("form", [list, np.array])
def test_first_not_finite_ignores_large_finite_numbers(form: Callable[[list[float]], Any]) -> None:
    assert TensorData(form([3e38] * 10), dtype="float32").first_not_finite() is None
    assert TensorData(form([2**62] * 4), dtype="int64").first_not_finite() is None


def test_equality_compares_values_dtype_and_shape() -> None:
    assert TensorData([0.1, 0.2]) == TensorData.from_numpy(np.array([0.1, 0.2]))
    assert TensorData([1, 2]) != TensorData([1, 3])
    assert TensorData([1, 2]) != TensorData([1, 2], dtype="float32")
    assert TensorData([1, 2, 3, 4]) != TensorData([[1, 2], [3, 4]])
    assert TensorData([1], shape=[1]) != TensorData([1, 2], shape=[2])
    assert TensorData([1]) != object()
    with pytest.raises(TypeError, match="unhashable"):
        hash(TensorData([1]))


def test_repr_is_short() -> None:
    assert repr(TensorData.from_numpy(np.arange(1_000_000))) == (
        "TensorData([0, 1, 2, ..., 999999], dtype='int64', shape=[1000000])"
    )
    assert repr(TensorData([0.5])) == "TensorData([0.5], dtype='float32', shape=[1])"


@pytest.mark.parametrize("tensor", [TensorData([1.5, 2]), TensorData.from_numpy(np.eye(2))])
def test_copies_and_pickles_are_equal(tensor: TensorData) -> None:
    assert pickle.loads(pickle.dumps(tensor)) == tensor
    assert copy.deepcopy(tensor) == tensor
    assert attrs.evolve(tensor) == tensor


def test_evolve_dtype_validates_again() -> None:
    assert attrs.evolve(TensorData([1, 2]), dtype="float32").to_api().dtype == "float32"
    with pytest.raises(InvalidInputError, match="integers"):
        attrs.evolve(TensorData([1.5]), dtype="int64")


def test_response_numbers_are_not_converted() -> None:
    items = [0.25, 0.5]
    tensor = TensorData.from_api(api.TensorData(data=items, dtype="float32", shape=[2]))
    assert tensor.data is items
    assert tensor.to_numpy().tolist() == [0.25, 0.5]
    assert tensor.to_numpy().dtype == np.float32


def test_null_in_response_is_nan() -> None:
    with_null: Any = [0.25, None]
    tensor = TensorData.from_api(api.TensorData(data=with_null, dtype="float32"))
    assert tensor.first_not_finite() == 1
    assert np.isnan(tensor.to_numpy()[1])


def test_response_tensor_can_be_sent(wire: Callable[[Any], Any]) -> None:
    tensor = TensorData.from_api(api.TensorData(data=[1, 2], dtype="int64"))
    assert wire(tensor) == {"data": [1, 2], "dtype": "int64"}
    assert tensor.size == 2


@given(
    hnp.arrays(
        dtype=st.sampled_from([np.int64, np.int16, np.uint32, np.float32, np.float16]),
        shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_array_round_trips(array: Any) -> None:
    tensor = TensorData.from_numpy(array)
    model = api.TensorData(data=tensor.data, dtype=tensor.dtype, shape=tensor.shape)
    back = TensorData.from_api(model)
    assert back == tensor
    np.testing.assert_array_equal(back.to_numpy(), array)


def test_torch_is_not_imported() -> None:
    assert "torch" not in sys.modules
