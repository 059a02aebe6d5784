"""Image input: image data, or the location of an image."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer
from tinker_ext.types.records import Record, dumped_by
from tinker_ext.types.unset import or_unset

ImageFormat: TypeAlias = Literal["png", "jpeg"]
#: The image fields that a server requires: release 0.4.1 the sizes, 0.24.1 and later at most the
#: expected number of tokens.
ImageForm: TypeAlias = Literal["sizes", "expected_tokens"]


def read_bytes(value: bytes | str, where: str) -> bytes:
    """Returns bytes unchanged and decodes text as base64, as release 0.4.1 does."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidInputError("expected bytes or base64 text", where=where) from None


def base64_text(data: bytes) -> str:
    """Encodes bytes as base64, the form in which they are sent and dumped."""
    return base64.b64encode(data).decode("ascii")


def _read_data(value: bytes | str) -> bytes:
    return read_bytes(value, "data")


def _check_format(_instance: object, _attribute: Any, value: Any) -> None:
    if value not in ("png", "jpeg"):
        raise InvalidInputError(f"expected 'png' or 'jpeg', got {value!r}", where="format")


_size = check_integer("an integer >= 0", lambda x: x >= 0, optional=True)


@frozen(kw_only=True)
class Image(Record):
    """The common fields of both kinds of image.

    Release 0.4.1 requires `height`, `width` (pixels) and `tokens`, the number of context tokens.
    Later releases compute the size and take `expected_tokens` as a hint. `tokens` and
    `expected_tokens` substitute for each other.
    """

    format: ImageFormat = field(validator=_check_format)
    height: int | None = field(default=None, validator=_size)
    width: int | None = field(default=None, validator=_size)
    tokens: int | None = field(default=None, validator=_size)
    expected_tokens: int | None = field(default=None, validator=_size)

    @property
    def known_length(self) -> int | None:
        """The number of context tokens; None if the caller specified none."""
        return self.expected_tokens if self.tokens is None else self.tokens

    @property
    def length(self) -> int:
        """The number of context tokens.

        Raises:
            InvalidInputError: (a ValueError) the caller specified none.
        """
        if self.known_length is None:
            raise InvalidInputError(
                "the length of an image is unknown to the client; set tokens or expected_tokens",
                where="tokens",
            )
        return self.known_length

    def missing(self, form: ImageForm = "sizes") -> list[str]:
        """The fields that a server with this `form` requires and the image lacks."""
        if form == "expected_tokens":
            return []
        required = {"height": self.height, "width": self.width, "tokens": self.known_length}
        return [name for name, value in required.items() if value is None]

    @property
    def expected(self) -> int | None:
        """The expected number of tokens, from `expected_tokens` or `tokens`."""
        return self.tokens if self.expected_tokens is None else self.expected_tokens


@frozen(kw_only=True)
class ImageChunk(Image):
    """An image sent in the request. `data` is its bytes or base64 text."""

    data: bytes = field(
        converter=_read_data,
        repr=lambda data: f"<{len(data)} bytes>",
        metadata=dumped_by(base64_text),
    )
    type: Literal["image"] = "image"

    def to_api(self) -> api.ImageChunk:
        """Builds the generated model, with the bytes as base64 text and all known sizes."""
        return api.ImageChunk(
            data=base64_text(self.data),
            format_=self.format,
            height=or_unset(self.height),
            width=or_unset(self.width),
            tokens=or_unset(self.known_length),
            expected_tokens=or_unset(self.expected),
        )

    @property
    def byte_count(self) -> int:
        """The size in the measure of servers that limit batches by bytes."""
        return len(self.data)


@frozen(kw_only=True)
class ImageAssetPointerChunk(Image):
    """An image stored on or fetched by the server, by its `location` (a path or URL)."""

    location: str
    type: Literal["image_asset_pointer"] = "image_asset_pointer"

    def to_api(self) -> api.ImageAssetPointerChunk:
        """Builds the generated model, with all known sizes."""
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
        """The size in the measure of servers that limit batches by bytes."""
        return len(self.location)
