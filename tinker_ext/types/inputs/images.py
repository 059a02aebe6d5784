"""Images in a model's input: sent along, or named by their place."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from tinker_api import models as api

ImageFormat: TypeAlias = Literal["png", "jpeg"]
#: What a server wants to be told of an image: release 0.4.1 its sizes, 0.24.1 and later how many
#: tokens it is taken for, if anything.
ImageForm: TypeAlias = Literal["sizes", "expected_tokens"]


def read_bytes(value: bytes | str, where: str) -> bytes:
    """Bytes as they are; text is taken as base64, as release 0.4.1 does."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidInputError("expected bytes, or their base64 text", where=where) from None


def _read_data(value: bytes | str) -> bytes:
    return read_bytes(value, "data")


def _check_format(_instance: object, _attribute: Any, value: Any) -> None:
    if value not in ("png", "jpeg"):
        raise InvalidInputError(f"format is 'png' or 'jpeg', not {value!r}", where="format")


_size = check_integer("a whole number from 0", lambda x: x >= 0, optional=True)


@frozen(kw_only=True)
class Image:
    """What both kinds of image have.

    Release 0.4.1 needs `height`, `width` (pixels) and `tokens`, how much context the image
    takes. Later releases work the size out and take `expected_tokens` as advice. What was given
    for one stands in for the other.
    """

    format: ImageFormat = field(validator=_check_format)
    height: int | None = field(default=None, validator=_size)
    width: int | None = field(default=None, validator=_size)
    tokens: int | None = field(default=None, validator=_size)
    expected_tokens: int | None = field(default=None, validator=_size)

    @property
    def known_length(self) -> int | None:
        """How many tokens of context the image takes; None where it wasn't said."""
        return self.expected_tokens if self.tokens is None else self.tokens

    @property
    def length(self) -> int:
        """How many tokens of context the image takes. ValueError where it wasn't said."""
        if self.known_length is None:
            raise InvalidInputError(
                "how many tokens an image takes is the server's to say, "
                "unless its tokens or expected_tokens are given",
                where="tokens",
            )
        return self.known_length

    def missing(self, form: ImageForm = "sizes") -> list[str]:
        """What has to be given before the image can be sent to a server of that form."""
        if form == "expected_tokens":
            return []
        needed = (("height", self.height), ("width", self.width), ("tokens", self.known_length))
        return [name for name, given in needed if given is None]

    @property
    def expected(self) -> int | None:
        """How many tokens to expect of it, whichever way that was given."""
        return self.tokens if self.expected_tokens is None else self.expected_tokens


@frozen(kw_only=True)
class ImageChunk(Image):
    """An image sent with the request. `data` is its bytes, or their base64 text."""

    data: bytes = field(converter=_read_data, repr=lambda data: f"<{len(data)} bytes>")
    type: Literal["image"] = "image"

    def to_api(self) -> api.ImageChunk:
        """The generated model, the bytes as base64 text, with all that was said of its size."""
        from tinker_api import models as api

        return api.ImageChunk(
            data=base64.b64encode(self.data).decode("ascii"),
            format_=self.format,
            height=or_unset(self.height),
            width=or_unset(self.width),
            tokens=or_unset(self.known_length),
            expected_tokens=or_unset(self.expected),
        )

    @property
    def byte_count(self) -> int:
        """Bytes, as servers count them that split batches by bytes."""
        return len(self.data)


@frozen(kw_only=True)
class ImageAssetPointerChunk(Image):
    """An image the server has or can fetch, by its `location` (a path or URL)."""

    location: str
    type: Literal["image_asset_pointer"] = "image_asset_pointer"

    def to_api(self) -> api.ImageAssetPointerChunk:
        """The generated model, with all that was said of its size."""
        from tinker_api import models as api

        return api.ImageAssetPointerChunk(
            location=self.location,
            format_=self.format,
            height=or_unset(self.height),
            width=or_unset(self.width),
            tokens=or_unset(self.known_length),
            expected_tokens=or_unset(self.expected),
        )

    @property
    def byte_count(self) -> int:
        """Bytes, as servers count them that split batches by bytes."""
        return len(self.location)
