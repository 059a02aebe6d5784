"""What a model's input is made of: runs of tokens, and images."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.numbers import Numbers, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch
    from tinker_api import models as api

ImageFormat: TypeAlias = Literal["png", "jpeg"]


def read_tokens(values: object, where: str = "tokens") -> Numbers:
    """Token ids from a list, numpy array or torch tensor: one dimension, integers, from 0.

    Raises:
        InvalidInputError: anything else, with the position of the first bad id.
    """
    if isinstance(values, Numbers):
        return values
    tokens, shape = read(values, dtype="int64", where=where)
    if len(shape) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {shape}", where=where)
    at = tokens.first_negative()
    if at is not None:
        raise InvalidInputError(
            f"a token id can't be negative, got {tokens.to_list()[at]}", where=f"{where}[{at}]"
        )
    return tokens


def _read_tokens_field(
    values: Sequence[int] | npt.ArrayLike | torch.Tensor | Numbers,
) -> Numbers:
    return read_tokens(values)


@frozen(repr=False)
class EncodedTextChunk:
    """A run of token ids. `tokens` is always a list; arrays and tensors are accepted."""

    _tokens: Numbers = field(alias="tokens", converter=_read_tokens_field)
    type: Literal["encoded_text"] = "encoded_text"

    @property
    def tokens(self) -> list[int]:
        """The token ids; built once, do not change the list."""
        return cast("list[int]", self._tokens.to_list())

    @property
    def length(self) -> int:
        """How many tokens of context the chunk takes."""
        return len(self._tokens)

    def to_api(self) -> api.EncodedTextChunk:
        """The generated model, holding the numpy array itself where there is one."""
        from tinker_api import models as api

        return api.EncodedTextChunk(tokens=cast("list[int]", self._tokens.wire))

    def __repr__(self) -> str:
        return f"EncodedTextChunk(tokens={self._tokens!r}, length={self.length})"


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


def _check_size(_instance: object, attribute: Any, value: Any) -> None:
    if value is None or (type(value) is int and value >= 0):
        return
    raise InvalidInputError(f"expected a whole number from 0, got {value!r}", where=attribute.name)


@frozen(kw_only=True)
class ImageChunk:
    """An image, sent with the request.

    Release 0.4.1 needs `height`, `width` (pixels) and `tokens`, how much context the image
    takes. Later releases work the size out and take `expected_tokens` as advice instead.
    """

    data: bytes = field(converter=_read_bytes, repr=lambda data: f"<{len(data)} bytes>")
    format: ImageFormat = field(validator=_check_format)
    height: int | None = field(default=None, validator=_check_size)
    width: int | None = field(default=None, validator=_check_size)
    tokens: int | None = field(default=None, validator=_check_size)
    expected_tokens: int | None = field(default=None, validator=_check_size)
    type: Literal["image"] = "image"

    @property
    def length(self) -> int:
        """How many tokens of context the image takes. ValueError where it wasn't said."""
        return _image_length(self)

    def to_api(self) -> api.ImageChunk:
        """The generated model, the bytes as base64 text."""
        from tinker_api import models as api

        height, width = _image_size(self)
        return api.ImageChunk(
            data=base64.b64encode(self.data).decode("ascii"),
            format_=self.format,
            height=height,
            width=width,
            tokens=self.length,
        )


@frozen(kw_only=True)
class ImageAssetPointerChunk:
    """An image the server already has or can fetch, by its `location` (a path or URL)."""

    format: ImageFormat = field(validator=_check_format)
    location: str
    height: int | None = field(default=None, validator=_check_size)
    width: int | None = field(default=None, validator=_check_size)
    tokens: int | None = field(default=None, validator=_check_size)
    expected_tokens: int | None = field(default=None, validator=_check_size)
    type: Literal["image_asset_pointer"] = "image_asset_pointer"

    @property
    def length(self) -> int:
        """How many tokens of context the image takes. ValueError where it wasn't said."""
        return _image_length(self)

    def to_api(self) -> api.ImageAssetPointerChunk:
        """The generated model."""
        from tinker_api import models as api

        height, width = _image_size(self)
        return api.ImageAssetPointerChunk(
            format_=self.format,
            location=self.location,
            height=height,
            width=width,
            tokens=self.length,
        )


ModelInputChunk: TypeAlias = EncodedTextChunk | ImageChunk | ImageAssetPointerChunk


def _image_length(chunk: ImageChunk | ImageAssetPointerChunk) -> int:
    length = chunk.expected_tokens if chunk.tokens is None else chunk.tokens
    if length is None:
        raise InvalidInputError("an image needs tokens (or expected_tokens)", where="tokens")
    return length


def _image_size(chunk: ImageChunk | ImageAssetPointerChunk) -> tuple[int, int]:
    if chunk.height is None or chunk.width is None:
        raise InvalidInputError(
            "this API release needs an image's height and width", where="height"
        )
    return chunk.height, chunk.width
