"""Image chunks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import ImageAssetPointerChunk, ImageChunk

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES: dict[str, Any] = {"format": "png", "height": 4, "width": 6, "tokens": 9}


@pytest.mark.parametrize("data", [b"\x89PNG", bytearray(b"\x89PNG"), "iVBORw=="])
def test_an_image_is_sent_as_base64_text(data: Any, wire: Callable[[Any], Any]) -> None:
    chunk = ImageChunk(data=data, **SIZES)
    assert (chunk.data, chunk.length) == (b"\x89PNG", 9)
    sent = base64.b64encode(b"\x89PNG").decode()
    assert wire(chunk) == {**SIZES, "data": sent, "type": "image"}


def test_a_pointer_is_sent_as_it_is(wire: Callable[[Any], Any]) -> None:
    chunk = ImageAssetPointerChunk(location="images/1.png", **SIZES)
    assert wire(chunk) == {**SIZES, "location": "images/1.png", "type": "image_asset_pointer"}


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
def test_a_wrong_field_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        ImageChunk(**{"data": b"", **SIZES, **change})
    assert caught.value.where == where


def test_later_releases_spelling_of_the_length_is_understood(wire: Callable[[Any], Any]) -> None:
    chunk = ImageChunk(data=b"", format="jpeg", height=1, width=1, expected_tokens=5)
    assert chunk.length == 5
    assert wire(chunk)["tokens"] == 5
    assert "expected_tokens" not in wire(chunk)


def test_sizes_left_out_are_told_before_sending() -> None:
    chunk = ImageChunk(data=b"", format="jpeg", width=1)
    assert chunk.missing() == ["height", "tokens"]
    with pytest.raises(InvalidInputError, match="tokens"):
        _ = chunk.length
    with pytest.raises(InvalidInputError, match="height"):
        chunk.to_api()


def test_the_bytes_are_not_printed() -> None:
    assert "<3 bytes>" in repr(ImageChunk(data=b"abc", **SIZES))
    assert "abc" not in repr(ImageChunk(data=b"abc", **SIZES))
