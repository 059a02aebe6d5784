"""A document decoded in slices has the value it has when decoded at once."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.transport.json_decoding import SLICE, decode, decode_in_slices

# orjson reads larger integers as floats, the standard library as integers.
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
INVALID = ["", " ", "[", "]", "[1,]", "[,1]", "[1,,2]", '["a",,1]', "[1 2]", '["a" "b"]', '{"a"}']
INVALID += ['{"a":}', '{"a":1,}', "{1:2}", '{"a":1 "b":2}', '"abc', "[1]]", "nul", "[nul]", "{,}"]
INVALID += ['["a"', '[["a"],', '{"a":["b"]', "[1}", '{"a":1]', '["a":1]', "[tru]", '{"a" 1}']


@given(VALUES, st.sampled_from([None, 2]), st.integers(1, 40))
def test_value_equals_the_one_decoded_at_once(value: Any, indent: int | None, size: int) -> None:
    content = json.dumps(value, indent=indent).encode()
    assert decode_in_slices(content, decode, size=size) == decode(content)


@pytest.mark.parametrize("size", [1, 3, SLICE])
@pytest.mark.parametrize("text", INVALID)
def test_invalid_document_is_rejected(text: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_in_slices(text.encode(), decode, size=size)


@pytest.mark.parametrize("size", [1, 3, SLICE])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[ ]", []),
        (" { } ", {}),
        ('[1, "a" , 2 ,[ ] ]', [1, "a", 2, []]),
        ("[Infinity, 1]", [float("inf"), 1]),
        ('{"a": -Infinity}', {"a": float("-inf")}),
        ('{"a": 1, "a": [2, 3]}', {"a": [2, 3]}),
        (r'["\ud83d\ude00", "\ud83d"]', ["\U0001f600", "?"]),
        ("[18446744073709551615]", [2**64 - 1]),
    ],
)
def test_unusual_documents(text: str, value: Any, size: int) -> None:
    assert decode_in_slices(text.encode(), decode, size=size) == value


@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 200_000 + "]" * 200_000])
def test_deep_nesting_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_in_slices(text.encode(), decode)


def test_other_threads_run_while_a_large_document_is_decoded() -> None:
    content = json.dumps({"outputs": [{"logprobs": [-0.123456789] * 1_000_000}]}).encode()
    turns, done = 0, threading.Event()

    def decode_it() -> None:
        decode_in_slices(content, decode)
        done.set()

    threading.Thread(target=decode_it).start()
    while not done.wait(0.0005):
        turns += 1
    assert turns > 5
