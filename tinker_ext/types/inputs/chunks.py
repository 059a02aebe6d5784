"""The chunks of a model's input: token ids, images and audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.audio import DmelChunk
from tinker_ext.types.inputs.images import ImageAssetPointerChunk, ImageChunk
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.array_input import parse_numbers
from tinker_ext.types.tensors.arrays import Array, SupportsArray
from tinker_ext.types.tensors.number_buffer import NumberBuffer


def read_tokens(values: object, where: str = "tokens") -> NumberBuffer:
    """Reads token ids from a 1-D list, numpy array or torch tensor of non-negative integers.

    Raises:
        InvalidInputError: the values are not token ids; `where` has the index of the first.
    """
    if isinstance(values, NumberBuffer):
        return values
    tokens, shape = parse_numbers(values, dtype="int64", where=where)
    if len(shape) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {shape}", where=where)
    index = tokens.first_negative()
    if index is not None:
        raise InvalidInputError(
            f"expected a token id >= 0, got {tokens.to_list()[index]}", where=f"{where}[{index}]"
        )
    return tokens


def _read_tokens_field(
    values: Sequence[int] | SupportsArray | NumberBuffer,
) -> NumberBuffer:
    return read_tokens(values)


@frozen(repr=False)
class EncodedTextChunk(Record):
    """A chunk of token ids. Accepts lists, arrays and tensors; `tokens` is always a list."""

    _tokens: NumberBuffer = field(alias="tokens", converter=_read_tokens_field)
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
    def length(self) -> int:
        """The number of tokens."""
        return len(self._tokens)

    @property
    def known_length(self) -> int:
        """Same as `length`, which may be unknown for images."""
        return len(self._tokens)

    @property
    def byte_count(self) -> int:
        """The size in the measure of servers that limit batches by bytes: 4 per token (0.38.0)."""
        return 4 * len(self._tokens)

    def to_api(self) -> api.EncodedTextChunk:
        """Builds the generated model, which references the numpy array if there is one."""
        return api.EncodedTextChunk(tokens=cast("list[int]", self._tokens.wire))

    def __repr__(self) -> str:
        return f"EncodedTextChunk({self._tokens!r}, length={self.length})"


ModelInputChunk: TypeAlias = EncodedTextChunk | ImageChunk | ImageAssetPointerChunk | DmelChunk
