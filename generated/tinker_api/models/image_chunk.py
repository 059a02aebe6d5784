# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..models.image_chunk_format import ImageChunkFormat, check_image_chunk_format
from ..types import UNSET, Unset

T = TypeVar("T", bound="ImageChunk")


@_attrs_define
class ImageChunk:
    """An image, sent along."""

    data: str
    """ The image file in base64. """
    format_: ImageChunkFormat
    """ File types of images. """
    height: int
    """ Height in pixels. """
    tokens: int
    """ How many tokens of context the image takes. """
    width: int
    """ Width in pixels. """
    type_: Literal["image"] | Unset = "image"

    def to_dict(self) -> dict[str, Any]:
        data = self.data

        format_: str = self.format_

        height = self.height

        tokens = self.tokens

        width = self.width

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "data": data,
                "format": format_,
                "height": height,
                "tokens": tokens,
                "width": width,
            }
        )
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        data = d.pop("data")

        format_ = check_image_chunk_format(d.pop("format"))

        height = d.pop("height")

        tokens = d.pop("tokens")

        width = d.pop("width")

        type_ = cast(Literal["image"] | Unset, d.pop("type", UNSET))
        if type_ != "image" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'image', got '{type_}'")

        image_chunk = cls(
            data=data,
            format_=format_,
            height=height,
            tokens=tokens,
            width=width,
            type_=type_,
        )

        return image_chunk
