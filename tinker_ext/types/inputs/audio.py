"""Sound in a model's input: a table of tokens, packed as the hosted service packs tensors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.images import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinker_api import models as api

# First byte of a tensor all of whose values are the same.
_CONSTANT = 254
# The byte after that, or the first one, is the type of the values.
_DTYPES = range(8)
# A varint has 7 bits in each byte, of which all but the last are over this.
_MORE = 0x80
_VARINT_BYTES = 9


def packed_shape(data: bytes) -> list[int]:
    """The sizes of the dimensions of a packed tensor, whose values are not looked at.

    A packed tensor begins with byte 254 if all its values are the same; then come a byte for
    their type, the number of dimensions, and the size of each, all as varints (release 0.38.0).

    Raises:
        ValueError: the bytes don't begin so.
    """
    numbers = iter(data)
    first = next(numbers, None)
    dtype = next(numbers, None) if first == _CONSTANT else first
    if dtype not in _DTYPES:
        raise ValueError("no type of values" if dtype is None else f"unknown type {dtype}")
    return [_varint(numbers) for _ in range(_varint(numbers))]


def _varint(numbers: Iterator[int]) -> int:
    """A number of little-endian groups of 7 bits."""
    found = 0
    for at in range(_VARINT_BYTES):
        byte = next(numbers, None)
        if byte is None:
            raise ValueError("the sizes are cut off")
        found |= (byte % _MORE) << (7 * at)
        if byte < _MORE:
            return found
    raise ValueError("a size is too large")


def _check_packed(_instance: object, _attribute: Any, value: bytes) -> None:
    try:
        shape = packed_shape(value)
    except ValueError as error:
        raise InvalidInputError(f"not a packed tensor: {error}", where="dmel") from None
    if not shape:
        raise InvalidInputError("a packed tensor without dimensions has no rows", where="dmel")


def _read_dmel(value: bytes | str) -> bytes:
    return read_bytes(value, "dmel")


@frozen(kw_only=True)
class DmelChunk:
    """A stretch of sound. `dmel` is its table, packed: bytes, or their base64 text.

    A row of the table takes a token of context. What packs sound so is the model's own code; here
    only the sizes at the beginning are read. Servers of 0.24.1 and later know it.
    """

    dmel: bytes = field(
        converter=_read_dmel, validator=_check_packed, repr=lambda data: f"<{len(data)} bytes>"
    )
    type: Literal["dmel"] = "dmel"

    @property
    def length(self) -> int:
        """How many tokens of context the chunk takes: the rows of its table."""
        return packed_shape(self.dmel)[0]

    @property
    def known_length(self) -> int:
        """As `length`; of images it may be unknown."""
        return self.length

    @property
    def byte_count(self) -> int:
        """Bytes, as servers count them that split batches by bytes."""
        return len(self.dmel)

    def to_api(self) -> api.DmelChunk:
        """The generated model, the bytes as base64 text."""
        from tinker_api import models as api

        return api.DmelChunk(dmel=base64.b64encode(self.dmel).decode("ascii"))
