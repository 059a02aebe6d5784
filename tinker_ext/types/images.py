"""Images in a model's input: sent along, or named by their place."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.checks import whole

if TYPE_CHECKING:
    from tinker_api import models as api

ImageFormat: TypeAlias = Literal["png", "jpeg"]


def _read_bytes(value: bytes | str) -> bytes:
    """Image bytes; text is taken as base64, as release 0.4.1 does."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidInputError("image data is bytes, or their base64 text", where="data") from None


def _check_format(_instance: object, _attribute: Any, value: Any) -> None:
    if value not in ("png", "jpeg"):
        raise InvalidInputError(f"format is 'png' or 'jpeg', not {value!r}", where="format")


_size = whole("a whole number from 0", lambda x: x >= 0, optional=True)


@frozen(kw_only=True)
class Image:
    """What both kinds of image have.

    Release 0.4.1 needs `height`, `width` (pixels) and `tokens`, how much context the image
    takes. Later releases work the size out and take `expected_tokens` as advice; here it
    stands in for `tokens`.
    """

    format: ImageFormat = field(validator=_check_format)
    height: int | None = field(default=None, validator=_size)
    width: int | None = field(default=None, validator=_size)
    tokens: int | None = field(default=None, validator=_size)
    expected_tokens: int | None = field(default=None, validator=_size)

    @property
    def length(self) -> int:
        """How many tokens of context the image takes. ValueError where it wasn't said."""
        return self.need("tokens")

    def missing(self) -> list[str]:
        """Which of height, width and tokens have to be given before the image can be sent."""
        return [name for name in ("height", "width", "tokens") if self._given(name) is None]

    def need(self, name: Literal["height", "width", "tokens"]) -> int:
        """One size, for sending; InvalidInputError where it wasn't given."""
        size = self._given(name)
        if size is None:
            raise InvalidInputError(f"an image needs its {name}", where=name)
        return size

    def _given(self, name: str) -> int | None:
        if name == "tokens" and self.tokens is None:
            return self.expected_tokens
        found: int | None = getattr(self, name)
        return found


@frozen(kw_only=True)
class ImageChunk(Image):
    """An image sent with the request. `data` is its bytes, or their base64 text."""

    data: bytes = field(converter=_read_bytes, repr=lambda data: f"<{len(data)} bytes>")
    type: Literal["image"] = "image"

    def to_api(self) -> api.ImageChunk:
        """The generated model, the bytes as base64 text."""
        from tinker_api import models as api

        return api.ImageChunk(
            data=base64.b64encode(self.data).decode("ascii"),
            format_=self.format,
            height=self.need("height"),
            width=self.need("width"),
            tokens=self.length,
        )


@frozen(kw_only=True)
class ImageAssetPointerChunk(Image):
    """An image the server has or can fetch, by its `location` (a path or URL)."""

    location: str
    type: Literal["image_asset_pointer"] = "image_asset_pointer"

    def to_api(self) -> api.ImageAssetPointerChunk:
        """The generated model."""
        from tinker_api import models as api

        return api.ImageAssetPointerChunk(
            location=self.location,
            format_=self.format,
            height=self.need("height"),
            width=self.need("width"),
            tokens=self.length,
        )
