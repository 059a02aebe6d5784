"""NumberBuffer: numbers in lists are packed during validation and not read again."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.types import EncodedTextChunk, TensorData


def test_int_list_is_packed_and_sent_as_array() -> None:
    tensor = TensorData([1, -(2**63), 2**63 - 1])
    data: object = tensor.to_api().data
    assert isinstance(data, np.ndarray)
    assert tensor.flat.tolist() == data.tolist() == tensor.data == [1, -(2**63), 2**63 - 1]
    assert {type(number) for number in tensor.data} == {int}


@pytest.mark.parametrize("make", [TensorData, lambda items: TensorData(np.array(items))])
@pytest.mark.parametrize("items", [[1, 2], [0.5, 0.25], [[1, 2]]])
def test_flat_is_one_dimensional_and_read_only(make: Any, items: Any) -> None:
    tensor = make(items)
    assert tensor.flat.shape == (2,)
    with pytest.raises(ValueError, match="read-only"):
        tensor.flat[0] = 7


def test_text_chunk_flat_is_int64_array() -> None:
    assert EncodedTextChunk([1, 2]).flat.tolist() == [1, 2]
    assert EncodedTextChunk(np.arange(2)).flat.dtype == np.int64


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_int_list_round_trips(items: list[int]) -> None:
    tensor = TensorData(items, dtype="int64")
    assert tensor == TensorData(np.array(items, dtype=np.int64))
    assert pickle.loads(pickle.dumps(tensor)) == tensor
    assert tensor.to_numpy().tolist() == items
    assert tensor.data == items
