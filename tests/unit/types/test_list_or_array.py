"""Results as lists and as arrays, each converted on first access."""

from __future__ import annotations

import math
import pickle

import numpy as np
from attrs import evolve

from tinker_ext.types import SampledSequence, SampleResponse
from tinker_ext.types.tensors.received import (
    Logprobs,
    OptionalLogprobs,
    Tokens,
    Topk,
    TopkLogprobs,
)

LISTED = SampledSequence("stop", [1, 2], [-0.5, -1.0], [[(1, -0.5)], None])
ARRAYS = SampledSequence(
    "stop",
    Tokens(array=np.array([1, 2], np.int32)),
    Logprobs(array=np.array([-0.5, -1.0], np.float32)),
    Topk(
        array=TopkLogprobs(
            np.array([[1], [0]], np.int32), np.array([[-0.5], [-99999.0]], np.float32)
        )
    ),
)


def test_list_and_array_forms_are_equal() -> None:
    assert LISTED == ARRAYS
    assert repr(LISTED) == repr(ARRAYS)
    assert repr(LISTED).startswith("SampledSequence(stop_reason='stop', tokens=[1, 2], logprobs=")
    assert ARRAYS.topk_logprobs == [[(1, -0.5)], None]
    assert LISTED.tokens_np.dtype == np.int32
    assert LISTED.logprobs_np is not None
    assert LISTED.logprobs_np.tolist() == [-0.5, -1.0]
    assert LISTED.topk_logprobs_np is not None
    assert LISTED.topk_logprobs_np.token_ids.tolist() == [[1], [0]]


def test_each_form_is_cached() -> None:
    assert ARRAYS.tokens is ARRAYS.tokens
    assert ARRAYS.tokens_np is ARRAYS.tokens_np
    assert LISTED.logprobs_np is LISTED.logprobs_np


def test_missing_logprobs_are_none_in_list_and_nan_in_array() -> None:
    response = SampleResponse([], OptionalLogprobs(array=np.array([np.nan, -1], np.float32)))
    assert response.prompt_logprobs == [None, -1.0]
    again = SampleResponse([], [None, -1.0]).prompt_logprobs_np
    assert again is not None
    assert math.isnan(again[0])
    assert again[1] == -1
    assert SampleResponse([]).prompt_logprobs is None
    assert SampleResponse([]).prompt_logprobs_np is None
    assert repr(SampleResponse([])) == "SampleResponse(sequences=[])"


def test_sequence_evolves_and_pickles() -> None:
    named = evolve(ARRAYS, sequence_id="s")
    assert (named.tokens, named.sequence_id) == ([1, 2], "s")
    assert pickle.loads(pickle.dumps(named)) == named
    assert Tokens([1]) != Logprobs([1.0])
