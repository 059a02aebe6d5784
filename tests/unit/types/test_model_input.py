"""ModelInput and EncodedTextChunk."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import EncodedTextChunk, ImageAssetPointerChunk, ModelInput

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = ImageAssetPointerChunk(format="png", location="a.png", height=2, width=3, tokens=7)


@pytest.mark.parametrize(
    "tokens",
    [
        [1, 2, 3],
        (1, 2, 3),
        range(1, 4),
        np.arange(1, 4),
        np.arange(1, 4, dtype="uint16"),
        np.arange(1, 4, dtype="float16"),
    ],
)
def test_tokens_round_trip_as_ints(tokens: Any, wire: Callable[[Any], Any]) -> None:
    model_input = ModelInput.from_ints(tokens)
    assert model_input.to_ints() == [1, 2, 3]
    assert {type(token) for token in model_input.to_ints()} == {int}
    assert model_input.length == 3
    assert model_input == ModelInput.from_ints([1, 2, 3])
    assert wire(model_input) == {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]}


@pytest.mark.parametrize(
    ("tokens", "where", "word"),
    [
        ([1, -2], "tokens[1]", "-2"),
        (np.array([1, -2]), "tokens[1]", "-2"),
        ([2**63 - 1, 128, -(2**63)], "tokens[2]", "-9223372036854775808"),
        ([1, 2.5], "tokens[1]", "2.5"),
        (np.array([1.5]), "tokens", "float64"),
        (np.array([1.5], dtype="float16"), "tokens", "float16"),
        ([1, True], "tokens[1]", "bool"),
        ([[1, 2]], "tokens", r"\[1, 2\]"),
        (np.array(3), "tokens", "dimension"),
        (["a"], "tokens[0]", "str"),
        ("ab", "tokens", "str"),
        ([2**64], "tokens[0]", "int64"),
    ],
)
def test_invalid_token_id_rejected_with_path(tokens: Any, where: str, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        ModelInput.from_ints(tokens)
    assert caught.value.where == where


def test_append_returns_new_input() -> None:
    first = ModelInput.empty()
    second = first.append(EncodedTextChunk(tokens=[1, 2])).append_int(3)
    assert (first.length, first.chunks) == (0, [])
    assert second.to_ints() == [1, 2, 3]
    assert [chunk.length for chunk in second.chunks] == [2, 1]


def test_image_counts_in_length_but_has_no_token_ids() -> None:
    mixed = ModelInput.from_ints([1]).append(IMAGE)
    assert mixed.length == 8
    with pytest.raises(ValueError, match="ImageAssetPointerChunk") as caught:
        mixed.to_ints()
    assert isinstance(caught.value, InvalidInputError)
    assert caught.value.where == "chunks[1]"


def test_token_ids_instead_of_chunks_rejected() -> None:
    chunks: Any = [EncodedTextChunk([1]), 2]
    with pytest.raises(InvalidInputError, match="from_ints") as caught:
        ModelInput(chunks=chunks)
    assert caught.value.where == "chunks[1]"


def test_repr_of_long_input_is_short() -> None:
    text = repr(ModelInput.from_ints(list(range(100_000))))
    assert text == "ModelInput(chunks=[EncodedTextChunk([0, 1, 2, ..., 99999], length=100000)])"


def test_token_array_is_passed_to_encoder_as_array() -> None:
    tokens: object = EncodedTextChunk(tokens=np.arange(3)).to_api().tokens
    assert isinstance(tokens, np.ndarray)


@pytest.mark.parametrize("tokens", [[1, 2], np.arange(1, 3)])
def test_equality_copy_and_pickle(tokens: Any) -> None:
    model_input = ModelInput.from_ints(tokens)
    assert pickle.loads(pickle.dumps(model_input)) == model_input
    assert attrs.evolve(model_input.chunks[0]) == EncodedTextChunk([1, 2])
    assert model_input != ModelInput.from_ints([1, 2, 3])
    assert model_input != ModelInput.from_ints([1, 3])
