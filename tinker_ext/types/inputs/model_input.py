"""The input of a model: chunks of token ids, images and audio."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, cast

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer
from tinker_ext.types.records import Record, dumped_by
from tinker_ext.types.structuring import or_unset
from tinker_ext.types.tensors.number_buffer import (
    Array,
    NumberBuffer,
    SupportsArray,
    parse_list,
)

ImageFormat: TypeAlias = Literal["png", "jpeg"]
#: The image fields that a server requires: release 0.4.1 the sizes, 0.24.1 and later at most the
#: expected number of tokens.
ImageForm: TypeAlias = Literal["sizes", "expected_tokens"]

# First byte of a tensor with a single repeated value.
_CONSTANT = 254
# Values of the dtype byte, which is the first byte or follows the one above.
_DTYPES = range(8)
# A varint has 7 bits per byte; this bit is set in every byte except the last.
_CONTINUES = 0x80
_VARINT_BYTES = 9


def _read_tokens(values: Sequence[int] | SupportsArray | NumberBuffer) -> NumberBuffer:
    """Reads token ids from a 1-D list, numpy array or torch tensor of non-negative integers."""
    tokens = parse_list(values, "tokens")
    index = None if tokens is values else tokens.first_negative()  # A buffer has been checked.
    if index is not None:
        raise InvalidInputError(
            f"expected a token id >= 0, got {tokens.to_list()[index]}", where=f"tokens[{index}]"
        )
    return tokens


@frozen(repr=False)
class EncodedTextChunk(Record):
    """A chunk of token ids. Accepts lists, arrays and tensors; `tokens` is always a list."""

    _tokens: NumberBuffer = field(alias="tokens", converter=_read_tokens)
    type: Literal["encoded_text"] = "encoded_text"

    @property
    def tokens(self) -> list[int]:
        """The token ids; cached, do not modify the list."""
        return cast("list[int]", self._tokens.to_list())

    @property
    def flat(self) -> Array:
        """The token ids as a read-only int64 array, without a copy, for encoders."""
        return self._tokens.to_array()

    @property
    def bits(self) -> int:
        """The bitwise OR of the token ids, which is at least the largest of them."""
        return self._tokens.bits

    @property
    def length(self) -> int:
        """The number of tokens."""
        return self._tokens.size

    @property
    def known_length(self) -> int:
        """Same as `length`, which may be unknown for images."""
        return self._tokens.size

    @property
    def byte_count(self) -> int:
        """The size in the measure of servers that limit batches by bytes: 4 per token (0.38.0)."""
        return 4 * self._tokens.size

    def to_api(self) -> api.EncodedTextChunk:
        """Builds the generated model, which references the numpy array if there is one."""
        return api.EncodedTextChunk(tokens=cast("list[int]", self._tokens.wire))

    def __repr__(self) -> str:
        return f"EncodedTextChunk({self._tokens!r}, length={self.length})"


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

    def _common_fields(self) -> dict[str, Any]:
        """The fields of the generated models of both kinds, with all known sizes."""
        return {
            "format_": self.format,
            "height": or_unset(self.height),
            "width": or_unset(self.width),
            "tokens": or_unset(self.known_length),
            "expected_tokens": or_unset(self.expected),
        }


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
        return api.ImageChunk(data=base64_text(self.data), **self._common_fields())

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
        return api.ImageAssetPointerChunk(location=self.location, **self._common_fields())

    @property
    def byte_count(self) -> int:
        """The size in the measure of servers that limit batches by bytes."""
        return len(self.location)


def packed_shape(data: bytes) -> list[int]:
    """Reads the shape of a packed tensor from its header.

    The header is byte 254 if all values are equal, then a dtype byte, the number of dimensions and
    the size of each dimension, the numbers as varints (release 0.38.0).

    Raises:
        ValueError: the header is invalid.
    """
    header = iter(data)
    first = next(header, None)
    dtype = next(header, None) if first == _CONSTANT else first
    if dtype not in _DTYPES:
        raise ValueError("the dtype is missing" if dtype is None else f"unknown dtype {dtype}")
    return [_varint(header) for _ in range(_varint(header))]


def _varint(header: Iterator[int]) -> int:
    """Reads a little-endian base-128 varint."""
    number = 0
    for index in range(_VARINT_BYTES):
        byte = next(header, None)
        if byte is None:
            raise ValueError("the shape is truncated")
        number |= (byte % _CONTINUES) << (7 * index)
        if byte < _CONTINUES:
            return number
    raise ValueError("a size is too large")


def _check_packed(_instance: object, _attribute: Any, value: bytes) -> None:
    try:
        shape = packed_shape(value)
    except ValueError as error:
        raise InvalidInputError(f"not a packed tensor: {error}", where="dmel") from None
    if not shape:
        raise InvalidInputError("a packed tensor needs at least one dimension", where="dmel")


def _read_dmel(value: bytes | str) -> bytes:
    return read_bytes(value, "dmel")


@frozen(kw_only=True)
class DmelChunk(Record):
    """A chunk of audio. `dmel` is its packed token table, as bytes or base64 text.

    Each row of the table counts as one token of context. The model's own code packs the audio;
    this class reads only the shape. Requires a server of 0.24.1 or later.
    """

    dmel: bytes = field(
        converter=_read_dmel,
        validator=_check_packed,
        repr=lambda data: f"<{len(data)} bytes>",
        metadata=dumped_by(base64_text),
    )
    type: Literal["dmel"] = "dmel"

    @property
    def length(self) -> int:
        """The number of context tokens: the rows of the table."""
        return packed_shape(self.dmel)[0]

    @property
    def known_length(self) -> int:
        """Same as `length`, which may be unknown for images."""
        return self.length

    @property
    def byte_count(self) -> int:
        """The size in the measure of servers that limit batches by bytes."""
        return len(self.dmel)

    def to_api(self) -> api.DmelChunk:
        """Builds the generated model, with the bytes as base64 text."""
        return api.DmelChunk(dmel=base64_text(self.dmel))


ModelInputChunk: TypeAlias = EncodedTextChunk | ImageChunk | ImageAssetPointerChunk | DmelChunk
_CHUNKS = (EncodedTextChunk, Image, DmelChunk)


def _read_chunks(chunks: Iterable[ModelInputChunk]) -> list[ModelInputChunk]:
    result = list(chunks)
    for index, chunk in enumerate(result):
        if not isinstance(chunk, _CHUNKS):
            raise InvalidInputError(
                f"expected a chunk, got {type(chunk).__name__}; "
                "pass token ids to ModelInput.from_ints(...)",
                where=f"chunks[{index}]",
            )
    return result


@frozen
class ModelInput(Record):
    """A list of text, image and audio chunks. Immutable: `append` returns a new input.

    >>> ModelInput.from_ints([1, 2]).append_int(3).to_ints()
    [1, 2, 3]
    """

    chunks: list[ModelInputChunk] = field(converter=_read_chunks)

    @classmethod
    def from_ints(cls, tokens: Sequence[int] | SupportsArray) -> ModelInput:
        """Creates one text chunk from token ids: a list, a 1-D numpy array or a torch tensor."""
        return cls(chunks=[EncodedTextChunk(tokens=tokens)])

    @classmethod
    def empty(cls) -> ModelInput:
        """Creates an input without chunks."""
        return cls(chunks=[])

    def to_ints(self) -> list[int]:
        """Returns all token ids in one new list.

        Raises:
            InvalidInputError: (a ValueError) a chunk is not text; `where` names it.
        """
        tokens: list[int] = []
        for index, chunk in enumerate(self.chunks):
            if not isinstance(chunk, EncodedTextChunk):
                raise InvalidInputError(
                    f"{type(chunk).__name__} has no token ids", where=f"chunks[{index}]"
                )
            tokens.extend(chunk.tokens)
        return tokens

    @property
    def length(self) -> int:
        """The number of context tokens, including images and audio."""
        tokens = 0
        for chunk in self.chunks:
            tokens += chunk._tokens.size if isinstance(chunk, EncodedTextChunk) else chunk.length
        return tokens

    @property
    def known_length(self) -> int:
        """Same as `length`, without images whose length only the server knows."""
        tokens = 0
        for chunk in self.chunks:
            tokens += (
                chunk._tokens.size
                if isinstance(chunk, EncodedTextChunk)
                else chunk.known_length or 0
            )
        return tokens

    def append(self, chunk: ModelInputChunk) -> ModelInput:
        """Returns a new input with ``chunk`` at the end."""
        return ModelInput(chunks=[*self.chunks, chunk])

    def append_int(self, token: int) -> ModelInput:
        """Returns a new input with one more token, in a separate text chunk."""
        return self.append(EncodedTextChunk(tokens=[token]))

    def to_api(self) -> api.ModelInput:
        """Builds the generated model."""
        return api.ModelInput(chunks=[chunk.to_api() for chunk in self.chunks])


def validate_prompt(prompt: ModelInput, *, images: ImageForm = "sizes") -> None:
    """Rejects a prompt that no server accepts.

    Raises:
        InvalidInputError: the prompt is not a `ModelInput`, has no tokens, or has an image without
            the fields that `images` requires; `where` starts with ``prompt``.
    """
    if not isinstance(prompt, ModelInput):
        raise InvalidInputError(
            f"expected a ModelInput, got {type(prompt).__name__}; "
            "pass token ids to ModelInput.from_ints(...)",
            where="prompt",
        )
    check_chunks(prompt, "prompt", images)


def check_chunks(model_input: ModelInput, where: str, images: ImageForm) -> None:
    """Rejects an input without tokens, or with an image that lacks a field of the form `images`."""
    is_empty = True
    for index, chunk in enumerate(model_input.chunks):
        if isinstance(chunk, EncodedTextChunk):
            is_empty = is_empty and chunk._tokens.size == 0
            continue
        if isinstance(chunk, Image) and (missing := chunk.missing(images)):
            raise InvalidInputError(
                f"missing image fields: {', '.join(missing)}", where=f"{where}.chunks[{index}]"
            )
        is_empty = is_empty and chunk.known_length == 0
    if is_empty:
        raise InvalidInputError("the input has no tokens", where=where)
