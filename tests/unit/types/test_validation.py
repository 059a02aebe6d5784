"""Validation before sending, and the size of a datum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import (
    Datum,
    ImageChunk,
    ModelInput,
    number_count,
    validate_data,
    validate_prompt,
)

SIZED = ImageChunk(data=b"", format="png", height=1, width=1, tokens=4)
UNSIZED = ImageChunk(data=b"", format="png")


def datum(tokens: int = 3, **inputs: Any) -> Datum:
    return Datum(model_input=ModelInput.from_ints(range(tokens)), loss_fn_inputs=inputs)


GOOD = datum(target_tokens=[1, 2, 3], weights=[0, 1, 1])


def test_valid_data_accepted() -> None:
    rows = datum(target_tokens=[[1, 2], [3, 4], [5, 6]], weights=[[1, 0], [1, 0], [1, 0]])
    flat_weights = datum(target_tokens=[[1, 2], [3, 4], [5, 6]], weights=[1, 1, 1])
    padded = datum(target_tokens=[1, 2, -100])
    validate_data([GOOD, rows, flat_weights, padded], loss_fn="cross_entropy")
    validate_data([datum(anything=[1.5])], loss_fn="a future loss")
    validate_data([])


@pytest.mark.parametrize(
    ("bad", "where", "word"),
    [
        (5, "data[1]", "int"),
        (datum(tokens=0), "data[1].model_input", "no tokens"),
        (
            Datum(model_input=ModelInput(chunks=[UNSIZED]), loss_fn_inputs={}),
            "data[1].model_input.chunks[0]",
            "height, width, tokens",
        ),
        (datum(weights=[1.0, float("nan")]), "data[1].loss_fn_inputs['weights'][1]", "nan"),
        (datum(weights=np.array([np.inf])), "data[1].loss_fn_inputs['weights'][0]", "inf"),
        (datum(weights=[1e39]), "data[1].loss_fn_inputs['weights'][0]", "float32.*1e.39"),
    ],
)
@pytest.mark.parametrize("loss_fn", [None, "ppo"])
def test_invalid_data_rejected_with_path(
    bad: Any, where: str, word: str, loss_fn: str | None
) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        validate_data([GOOD, bad], loss_fn=loss_fn)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (datum(weights=[1, 1, 1]), "data[0].loss_fn_inputs"),
        (datum(target_tokens=np.ones(3)), "data[0].loss_fn_inputs['target_tokens']"),
        (datum(target_tokens=[1, 2]), "data[0].loss_fn_inputs['target_tokens']"),
        (datum(target_tokens=[1, 2, 3], weights=[1]), "data[0].loss_fn_inputs['weights']"),
    ],
)
def test_cross_entropy_requires_one_target_per_token(bad: Datum, where: str) -> None:
    validate_data([bad])
    with pytest.raises(InvalidInputError) as caught:
        validate_data([bad], loss_fn="cross_entropy")
    assert caught.value.where == where


def test_cross_entropy_target_count_unchecked_with_images() -> None:
    mixed = ModelInput.from_ints([1]).append(SIZED)
    example = Datum(model_input=mixed, loss_fn_inputs={"target_tokens": [1, 2, 3]})
    validate_data([example], loss_fn="cross_entropy")


def test_single_datum_instead_of_list_rejected() -> None:
    single: Any = GOOD
    with pytest.raises(InvalidInputError, match="list of Datum"):
        validate_data(single)


def test_number_count_adds_context_length_and_tensor_sizes() -> None:
    assert number_count(GOOD) == 3 + 3 + 3
    assert number_count(datum(tokens=2, table=np.zeros((4, 5)))) == 2 + 20


@pytest.mark.parametrize(
    ("prompt", "where"),
    [
        ([1, 2], "prompt"),
        (ModelInput.empty(), "prompt"),
        (ModelInput.from_ints([1]).append(UNSIZED), "prompt.chunks[1]"),
    ],
)
def test_invalid_prompt_rejected_with_path(prompt: Any, where: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_prompt(prompt)
    assert caught.value.where == where


def test_valid_prompt_accepted() -> None:
    validate_prompt(ModelInput.from_ints([1]).append(SIZED))
