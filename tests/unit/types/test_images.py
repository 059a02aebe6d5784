"""Image chunks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import ImageAssetPointerChunk, ImageChunk

SIZES: dict[str, Any] = {"format": "png", "height": 4, "width": 6, "tokens": 9}


@pytest.mark.parametrize("data", [b"\x89PNG", bytearray(b"\x89PNG"), "iVBORw=="])
def test_image_sent_as_base64_with_all_sizes(data: Any, wire: Callable[[Any], Any]) -> None:
    chunk = ImageChunk(data=data, **SIZES)
    assert (chunk.data, chunk.length, chunk.byte_count) == (b"\x89PNG", 9, 4)
    encoded = base64.b64encode(b"\x89PNG").decode()
    assert wire(chunk) == {**SIZES, "expected_tokens": 9, "data": encoded, "type": "image"}


def test_asset_pointer_sent_with_location_and_all_sizes(wire: Callable[[Any], Any]) -> None:
    chunk = ImageAssetPointerChunk(location="images/1.png", **SIZES)
    fields = {**SIZES, "expected_tokens": 9, "location": "images/1.png"}
    assert wire(chunk) == {**fields, "type": "image_asset_pointer"}
    assert chunk.byte_count == len("images/1.png")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"format": "jpg"}, "format"),
        ({"height": -1}, "height"),
        ({"width": 2.5}, "width"),
        ({"tokens": True}, "tokens"),
        ({"data": "not base64!"}, "data"),
        ({"data": 5}, "data"),
    ],
)
def test_invalid_field_rejected_with_name(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        ImageChunk(**{"data": b"", **SIZES, **change})
    assert caught.value.where == where


def test_tokens_and_expected_tokens_substitute_for_each_other() -> None:
    expected = ImageChunk(data=b"", format="jpeg", expected_tokens=5)
    exact = ImageChunk(data=b"", format="jpeg", tokens=7)
    assert (expected.length, expected.expected, exact.length, exact.expected) == (5, 5, 7, 7)


def test_missing_fields_depend_on_server() -> None:
    chunk = ImageChunk(data=b"", format="jpeg", width=1)
    assert chunk.missing("sizes") == ["height", "tokens"]
    assert chunk.missing("expected_tokens") == []
    assert chunk.known_length is None
    with pytest.raises(InvalidInputError, match="tokens"):
        _ = chunk.length


def test_repr_omits_bytes() -> None:
    assert "<3 bytes>" in repr(ImageChunk(data=b"abc", **SIZES))
    assert "abc" not in repr(ImageChunk(data=b"abc", **SIZES))
