"""The image fields that a server accepts."""

from __future__ import annotations

import pytest
from tinker_api import models

from tinker_ext.errors import InvalidInputError
from tinker_ext.transport.operations import adapt_images
from tinker_ext.types import ImageAssetPointerChunk, ImageChunk, ModelInput

TEXT = ModelInput.from_ints([1, 2])
SIZED = ImageChunk(data=b"x", format="png", height=4, width=6, tokens=9)
POINTER = ImageAssetPointerChunk(location="a", format="png", height=4, width=6, tokens=9)
BARE = ImageChunk(data=b"x", format="png", width=6)


def size_fields(chunk: object) -> set[str]:
    assert isinstance(chunk, models.ImageChunk | models.ImageAssetPointerChunk)
    return chunk.to_dict().keys() & {"height", "width", "tokens", "expected_tokens"}


@pytest.mark.parametrize("image", [SIZED, POINTER])
def test_image_has_only_the_fields_of_the_form(image: ImageChunk | ImageAssetPointerChunk) -> None:
    model_input = TEXT.append(image).to_api()
    sizes = adapt_images(model_input, "sizes", "prompt").chunks[1]
    assert size_fields(sizes) == {"height", "width", "tokens"}
    expected = adapt_images(model_input, "expected_tokens", "prompt").chunks[1]
    assert size_fields(expected) == {"expected_tokens"}
    assert size_fields(model_input.chunks[1]) == {"height", "width", "tokens", "expected_tokens"}


def test_input_without_images_is_returned_unchanged() -> None:
    model_input = TEXT.to_api()
    assert adapt_images(model_input, "sizes", "prompt") is model_input


def test_missing_image_sizes_raise_invalid_input() -> None:
    model_input = TEXT.append(BARE).to_api()
    with pytest.raises(InvalidInputError, match="height, tokens") as caught:
        adapt_images(model_input, "sizes", "data[3].model_input")
    assert caught.value.where == "data[3].model_input.chunks[1]"
    assert size_fields(adapt_images(model_input, "expected_tokens", "x").chunks[1]) == set()
