"""CSR tensors: creation, validation, conversion to dense, and encoding."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import Datum, ModelInput, TensorData, byte_count, number_count

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: dict[str, Any] = {
    "data": [1, 2, 3],
    "dtype": "int64",
    "shape": [3, 4],
    "sparse_crow_indices": [0, 2, 2, 3],
    "sparse_col_indices": [0, 3, 1],
}
FULL = [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]]


def test_csr_fields_kept_and_sent(wire: Callable[[Any], Any]) -> None:
    tensor = TensorData(**ROWS)
    assert (tensor.data, tensor.shape, tensor.dtype) == ([1, 2, 3], [3, 4], "int64")
    assert tensor.sparse_crow_indices == [0, 2, 2, 3]
    assert tensor.sparse_col_indices == [0, 3, 1]
    assert (tensor.size, tensor.dense_size, tensor.byte_count) == (3, 12, 8 * (3 + 4 + 3))
    assert wire(tensor) == ROWS
    assert "sparse_col_indices=[0, 3, 1]" in repr(tensor)


def test_omitted_cells_hold_pad_value() -> None:
    tensor = TensorData(**ROWS)
    assert tensor.tolist() == FULL
    int_like: Any = np.int64(7)
    assert tensor.tolist(-1) == [[1, -1, -1, 2], [-1, -1, -1, -1], [-1, 3, -1, -1]]
    assert tensor.to_numpy(int_like)[1].tolist() == [7] * 4
    assert tensor.to_dense() == TensorData(FULL)
    dense = TensorData([[1, 0]])
    assert dense.tolist(9) == [[1, 0]]
    assert dense.to_dense() is dense


@pytest.mark.parametrize("pad", [0.5, True, "0", None, 2**63])
def test_pad_value_must_be_integer(pad: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        TensorData(**ROWS).to_numpy(pad)
    assert caught.value.where == "pad_value"
    with pytest.raises(InvalidInputError):
        TensorData.from_torch_sparse(np.zeros((9, 9)), pad)


def test_matrix_compressed_only_if_smaller() -> None:
    wide = np.zeros((2, 10), dtype=np.float32)
    wide[1, 3] = 0.5
    assert TensorData.from_torch_sparse(wide) == TensorData(
        [0.5], "float32", [2, 10], sparse_crow_indices=[0, 0, 1], sparse_col_indices=[3]
    )
    columns: Any = TensorData.from_torch_sparse(np.eye(9)).to_api().sparse_col_indices
    assert columns.flags.c_contiguous, "the encoder reads it in place"
    unlike = TensorData.from_torch_sparse(np.where(wide == 0, -1, 4).astype("i8"), pad_value=-1)
    assert (unlike.data, unlike.sparse_col_indices) == ([4], [3])
    assert unlike.to_sparse() is unlike
    for dense in (np.ones((2, 10)), np.zeros(10), np.zeros((2, 2, 2)), np.zeros((1, 2))):
        assert not TensorData.from_torch_sparse(dense).is_sparse
    # 2 + 1 row indices plus two numbers per value: 10 values need 23 numbers, the matrix has 22.
    edge = np.zeros((2, 11))
    edge[0, :9] = 1
    assert TensorData.from_torch_sparse(edge).is_sparse
    edge[1, 0] = 1
    assert not TensorData.from_torch_sparse(edge).is_sparse


@given(
    hnp.arrays(
        np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-1, 1)
    ),
    st.integers(-1, 1),
)
def test_csr_round_trips(matrix: Any, pad: int) -> None:
    tensor = TensorData.from_torch_sparse(matrix, pad)
    assert tensor.tolist(pad) == matrix.tolist()
    if tensor.is_sparse:  # The constructor accepts the indices.
        assert attrs.evolve(tensor) == tensor


def test_csr_equality_copy_and_pickle() -> None:
    tensor = TensorData(**ROWS)
    assert pickle.loads(pickle.dumps(tensor)) == copy.deepcopy(tensor) == tensor
    assert attrs.evolve(tensor, sparse_col_indices=[1, 3, 1]) != tensor
    assert tensor != TensorData(FULL)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (
            {"sparse_crow_indices": None},
            "sparse_crow_indices",
            "missing; compressed sparse rows require it",
        ),
        (
            {"sparse_col_indices": None},
            "sparse_col_indices",
            "missing; compressed sparse rows require it",
        ),
        ({"shape": None}, "shape", "rows, columns"),
        ({"shape": [12]}, "shape", "rows, columns"),
        ({"shape": [3, -4]}, "shape", "list of non-negative integers"),
        ({"shape": [2, 4]}, "sparse_crow_indices", "expected 3 numbers for 2 rows, got 4"),
        ({"sparse_crow_indices": [0, 2, 1, 3]}, "sparse_crow_indices", "ascending order"),
        (
            {"sparse_crow_indices": [0, 2, 2, 4]},
            "sparse_crow_indices",
            "expected 3 values in 3 rows, got 4",
        ),
        ({"sparse_crow_indices": [1, 3, 3, 4]}, "sparse_crow_indices", "first index of 0, got 1"),
        ({"sparse_crow_indices": [[0, 2], [2, 3]]}, "sparse_crow_indices", "one dimension"),
        ({"sparse_crow_indices": [0, 2.5, 2, 3]}, "sparse_crow_indices[1]", "integers"),
        ({"sparse_col_indices": [0, 4, 1]}, "sparse_col_indices", "4 columns, got 4"),
        ({"sparse_col_indices": [-1, 3, 1]}, "sparse_col_indices", "4 columns, got -1"),
        ({"sparse_col_indices": [0, 3]}, "sparse_col_indices", "expected 3 for 3 values, got 2"),
        ({"sparse_col_indices": [3, 0, 1]}, "sparse_col_indices[1]", "0 after 3"),
        ({"sparse_col_indices": [3, 3, 1]}, "sparse_col_indices[1]", "3 after 3"),
        ({"data": [1, 2]}, "sparse_crow_indices", "expected 2 values in 3 rows, got 3"),
    ],
)
def test_inconsistent_csr_rejected_with_path(
    change: dict[str, Any], where: str, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        TensorData(**{**ROWS, **change})
    assert caught.value.where == where


def test_csr_with_zero_rows() -> None:
    tensor = TensorData([], "int64", [0, 4], sparse_crow_indices=[0], sparse_col_indices=[])
    assert tensor.to_numpy().shape == (0, 4)
    with pytest.raises(InvalidInputError, match="first index of 0, got none"):
        TensorData([], "int64", [0, 4], sparse_crow_indices=[], sparse_col_indices=[])


def test_csr_in_response_stays_sparse() -> None:
    read = TensorData.from_api(api.TensorData.from_dict(ROWS))
    assert read.is_sparse
    assert read == TensorData(**ROWS)
    # Responses may have columns in any order, requests may not.
    unordered = TensorData.from_api(
        api.TensorData.from_dict({**ROWS, "sparse_col_indices": [3, 0, 1]})
    )
    assert unordered.tolist() == [[2, 0, 0, 1], [0, 0, 0, 0], [0, 3, 0, 0]]
    for change in ({"shape": [3, -1]}, {"shape": [3, 2**40]}, {"sparse_col_indices": [9, 0, 1]}):
        with pytest.raises(ValueError, match="columns"):
            TensorData.from_api(api.TensorData.from_dict({**ROWS, **change}))


def test_datum_size_counts_sparse_bytes_and_dense_numbers() -> None:
    datum = Datum(
        model_input=ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"target_tokens": TensorData(**ROWS)},
    )
    assert byte_count(datum) == 4 * 3 + 8 * (3 + 4 + 3)
    assert number_count(datum) == 3 + 12
    assert datum.to_dense().loss_fn_inputs["target_tokens"].tolist() == FULL
    assert datum.to_dense().to_dense() == datum.to_dense()
