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
    expected_tokens: int | None | Unset = UNSET
    """ How many tokens the client takes the image for. The server counts itself and may refuse a difference. """
    type_: Literal["image"] | Unset = "image"
    height: int | Unset = UNSET
    """ Height in pixels. """
    tokens: int | Unset = UNSET
    """ How many tokens of context the image takes. """
    width: int | Unset = UNSET
    """ Width in pixels. """

    def to_dict(self) -> dict[str, Any]:
        data = self.data

        format_: str = self.format_

        expected_tokens: int | None | Unset = self.expected_tokens

        type_ = self.type_

        height = self.height

        tokens = self.tokens

        width = self.width

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "data": data,
                "format": format_,
            }
        )
        if expected_tokens is not UNSET:
            field_dict["expected_tokens"] = expected_tokens
        if type_ is not UNSET:
            field_dict["type"] = type_
        if height is not UNSET:
            field_dict["height"] = height
        if tokens is not UNSET:
            field_dict["tokens"] = tokens
        if width is not UNSET:
            field_dict["width"] = width

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        data = d.pop("data")

        format_ = check_image_chunk_format(d.pop("format"))

        def _parse_expected_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        expected_tokens = _parse_expected_tokens(d.pop("expected_tokens", UNSET))

        type_ = cast(Literal["image"] | Unset, d.pop("type", UNSET))
        if type_ != "image" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'image', got '{type_}'")

        height = d.pop("height", UNSET)

        tokens = d.pop("tokens", UNSET)

        width = d.pop("width", UNSET)

        image_chunk = cls(
            data=data,
            format_=format_,
            expected_tokens=expected_tokens,
            type_=type_,
            height=height,
            tokens=tokens,
            width=width,
        )

        return image_chunk
