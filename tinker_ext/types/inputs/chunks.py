"""What a model's input is made of: runs of tokens, images (`images`) and sound (`sound`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.audio import DmelChunk
from tinker_ext.types.inputs.images import ImageAssetPointerChunk, ImageChunk
from tinker_ext.types.tensors.array_input import parse_numbers
from tinker_ext.types.tensors.number_buffer import NumberBuffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_api import models as api

    from tinker_ext.types.tensors.arrays import Array, SupportsArray


def read_tokens(values: object, where: str = "tokens") -> NumberBuffer:
    """Token ids from a list, numpy array or torch tensor: one dimension, integers, from 0.

    Raises:
        InvalidInputError: anything else, with the position of the first bad id.
    """
    if isinstance(values, NumberBuffer):
        return values
    tokens, shape = parse_numbers(values, dtype="int64", where=where)
    if len(shape) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {shape}", where=where)
    at = tokens.first_negative()
    if at is not None:
        raise InvalidInputError(
            f"a token id can't be negative, got {tokens.to_list()[at]}", where=f"{where}[{at}]"
        )
    return tokens


def _read_tokens_field(
    values: Sequence[int] | SupportsArray | NumberBuffer,
) -> NumberBuffer:
    return read_tokens(values)


@frozen(repr=False)
class EncodedTextChunk:
    """A run of token ids. `tokens` is always a list; arrays and tensors are accepted."""

    _tokens: NumberBuffer = field(alias="tokens", converter=_read_tokens_field)
    type: Literal["encoded_text"] = "encoded_text"

    @property
    def tokens(self) -> list[int]:
        """The token ids; built once, do not change the list."""
        return cast("list[int]", self._tokens.to_list())

    @property
    def flat(self) -> Array:
        """The token ids as int64: read-only, for encoders, no copy."""
        return self._tokens.to_array()

    @property
    def length(self) -> int:
        """How many tokens of context the chunk takes."""
        return len(self._tokens)

    @property
    def known_length(self) -> int:
        """As `length`; of images it may be unknown."""
        return len(self._tokens)

    @property
    def byte_count(self) -> int:
        """Bytes, as servers count them that split batches by bytes: 4 a token (0.38.0)."""
        return 4 * len(self._tokens)

    def to_api(self) -> api.EncodedTextChunk:
        """The generated model, holding the numpy array itself where there is one."""
        from tinker_api import models as api

        return api.EncodedTextChunk(tokens=cast("list[int]", self._tokens.wire))

    def __repr__(self) -> str:
        return f"EncodedTextChunk({self._tokens!r}, length={self.length})"


ModelInputChunk: TypeAlias = EncodedTextChunk | ImageChunk | ImageAssetPointerChunk | DmelChunk
