"""Audio input: a token table in the tensor format of the hosted service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.images import base64_text, read_bytes
from tinker_ext.types.records import Record, dumped_by

# First byte of a tensor with a single repeated value.
_CONSTANT = 254
# Values of the dtype byte, which is the first byte or follows the one above.
_DTYPES = range(8)
# A varint has 7 bits per byte; this bit is set in every byte except the last.
_CONTINUES = 0x80
_VARINT_BYTES = 9


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
