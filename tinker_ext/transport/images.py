"""What a server is told of images: each dialect has fields that the others refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve
from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    from tinker_ext.types.inputs.images import ImageForm

Image: TypeAlias = models.ImageChunk | models.ImageAssetPointerChunk
_IMAGES = (models.ImageChunk, models.ImageAssetPointerChunk)


def with_images_as(
    model_input: models.ModelInput, form: ImageForm, where: str
) -> models.ModelInput:
    """The same input, its images told as a server of that form wants it.

    Raises:
        InvalidInputError: what it wants was not given; `where` is what the input is to the caller.
    """
    if not any(isinstance(chunk, _IMAGES) for chunk in model_input.chunks):
        return model_input
    chunks: list[Any] = [
        _told(chunk, form, f"{where}.chunks[{at}]") if isinstance(chunk, _IMAGES) else chunk
        for at, chunk in enumerate(model_input.chunks)
    ]
    return evolve(model_input, chunks=chunks)


def _told(image: Image, form: ImageForm, where: str) -> Image:
    if form == "expected_tokens":
        return evolve(image, height=UNSET, width=UNSET, tokens=UNSET)
    given = {"height": image.height, "width": image.width, "tokens": image.tokens}
    missing = [name for name, size in given.items() if isinstance(size, Unset)]
    if missing:
        raise InvalidInputError(f"this server needs an image's {', '.join(missing)}", where=where)
    return evolve(image, expected_tokens=UNSET)
