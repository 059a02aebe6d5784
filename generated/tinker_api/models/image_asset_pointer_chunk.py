# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..models.image_asset_pointer_chunk_format import (
    ImageAssetPointerChunkFormat,
    check_image_asset_pointer_chunk_format,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="ImageAssetPointerChunk")


@_attrs_define
class ImageAssetPointerChunk:
    """An image the server fetches itself."""

    format_: ImageAssetPointerChunkFormat
    """ File types of images. """
    height: int
    """ Height in pixels. """
    location: str
    """ Where it is - a path or URL the server can read. """
    tokens: int
    """ How many tokens of context the image takes. """
    width: int
    """ Width in pixels. """
    type_: Literal["image_asset_pointer"] | Unset = "image_asset_pointer"

    def to_dict(self) -> dict[str, Any]:
        format_: str = self.format_

        height = self.height

        location = self.location

        tokens = self.tokens

        width = self.width

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "format": format_,
                "height": height,
                "location": location,
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
        format_ = check_image_asset_pointer_chunk_format(d.pop("format"))

        height = d.pop("height")

        location = d.pop("location")

        tokens = d.pop("tokens")

        width = d.pop("width")

        type_ = cast(Literal["image_asset_pointer"] | Unset, d.pop("type", UNSET))
        if type_ != "image_asset_pointer" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'image_asset_pointer', got '{type_}'")

        image_asset_pointer_chunk = cls(
            format_=format_,
            height=height,
            location=location,
            tokens=tokens,
            width=width,
            type_=type_,
        )

        return image_asset_pointer_chunk
