"""DmelChunk: packed audio token tables, of which only the shape is read."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import Datum, DmelChunk, EncodedTextChunk, ModelInput, byte_count

#: Dtype 2, two dimensions, 3 rows of 2 values.
TABLE = bytes([2, 2, 3, 2, *range(6)])
#: One value repeated in 300 rows of 80; sizes over 127 take two bytes.
CONSTANT = bytes([254, 0, 2, 0xAC, 0x02, 80, 7])


@pytest.mark.parametrize("dmel", [TABLE, bytearray(TABLE), base64.b64encode(TABLE).decode()])
def test_audio_sent_as_base64(dmel: Any, wire: Callable[[Any], Any]) -> None:
    chunk = DmelChunk(dmel=dmel)
    assert (chunk.dmel, chunk.length, chunk.known_length, chunk.byte_count) == (TABLE, 3, 3, 10)
    assert wire(chunk) == {"dmel": base64.b64encode(TABLE).decode(), "type": "dmel"}
    assert repr(chunk) == "DmelChunk(dmel=<10 bytes>, type='dmel')"


def test_each_table_row_counts_as_one_token() -> None:
    audio = ModelInput(chunks=[EncodedTextChunk([1, 2]), DmelChunk(dmel=CONSTANT)])
    assert (audio.length, audio.known_length) == (302, 302)
    assert audio.append_int(3).length == 303
    datum = Datum(model_input=audio, loss_fn_inputs={"target_tokens": [1]})
    assert byte_count(datum) == 4 * 2 + len(CONSTANT) + 8
    with pytest.raises(InvalidInputError, match="DmelChunk has no token ids"):
        audio.to_ints()


@pytest.mark.parametrize(
    ("dmel", "words"),
    [
        (b"", "dtype is missing"),
        (b"\xfe", "dtype is missing"),
        (b"RIFF", "unknown dtype 82"),
        (b"\x08\x01\x01", "unknown dtype 8"),
        (b"\x00", "truncated"),
        (b"\x00\x02\x05", "truncated"),
        (b"\x00\x01\x85", "truncated"),
        (b"\x00\x01" + b"\xff" * 9 + b"\x01", "too large"),
        (b"\x00\x00", "at least one dimension"),
        ("not base64!", "base64"),
        (7, "base64"),
    ],
)
def test_invalid_table_rejected(dmel: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        DmelChunk(dmel=dmel)
    assert caught.value.where == "dmel"
