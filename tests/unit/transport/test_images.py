"""What a server is told of images."""

from __future__ import annotations

import pytest
from tinker_api import models

from tinker_ext.errors import InvalidInputError
from tinker_ext.transport.training_data import adapt_images
from tinker_ext.types import ImageAssetPointerChunk, ImageChunk, ModelInput

TEXT = ModelInput.from_ints([1, 2])
SIZED = ImageChunk(data=b"x", format="png", height=4, width=6, tokens=9)
POINTER = ImageAssetPointerChunk(location="a", format="png", height=4, width=6, tokens=9)
BARE = ImageChunk(data=b"x", format="png", width=6)


def told(chunk: object) -> set[str]:
    assert isinstance(chunk, models.ImageChunk | models.ImageAssetPointerChunk)
    return chunk.to_dict().keys() & {"height", "width", "tokens", "expected_tokens"}


@pytest.mark.parametrize("image", [SIZED, POINTER])
def test_each_form_has_its_fields(image: ImageChunk | ImageAssetPointerChunk) -> None:
    given = TEXT.append(image).to_api()
    sizes = adapt_images(given, "sizes", "prompt").chunks[1]
    assert told(sizes) == {"height", "width", "tokens"}
    expected = adapt_images(given, "expected_tokens", "prompt").chunks[1]
    assert told(expected) == {"expected_tokens"}
    assert told(given.chunks[1]) == {"height", "width", "tokens", "expected_tokens"}


def test_text_is_passed_on() -> None:
    given = TEXT.to_api()
    assert adapt_images(given, "sizes", "prompt") is given


def test_sizes_that_are_not_known_are_asked_for() -> None:
    given = TEXT.append(BARE).to_api()
    with pytest.raises(InvalidInputError, match="height, tokens") as caught:
        adapt_images(given, "sizes", "data[3].model_input")
    assert caught.value.where == "data[3].model_input.chunks[1]"
    assert told(adapt_images(given, "expected_tokens", "x").chunks[1]) == set()
