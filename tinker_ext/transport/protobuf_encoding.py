"""Encodes training data to protobuf (`openapi/tinker_public.proto`) without extra copies.

A message of the generated module would copy each array into the message and again into its
encoding. Here, only the tags and lengths between the arrays are created in advance; the numbers are
copied once, into the body that is sent. The bytes are those that the generated module writes with
`deterministic=True`, which sorts maps by key.

Imported only if a server uses protobuf.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext import types
from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from google.protobuf.message import Message

    Array: TypeAlias = npt.NDArray[Any]

#: Bytes, or the numbers of an array. A list holds int64 token ids, which are sent as int32.
Part: TypeAlias = "bytes | Array | list[Array]"

_DTYPES = {"float32": pb.DTYPE_FLOAT32, "int64": pb.DTYPE_INT64}
_WIRE = {"float32": "<f4", "int64": "<i8"}
_LARGEST_TOKEN = 2**31 - 1
_TOKEN_BYTES = 4  # int32

# Entries of the caches of lengths and of the bytes around arrays: datums often have equal shapes.
_CACHED = 4096

# Protobuf's wire types.
_VARINT, _LENGTH_DELIMITED = 0, 2
# The fields of a map entry: protobuf's language guide, "Maps".
_KEY, _VALUE = b"\x0a", b"\x12"


def _tag(number: int, wire_type: int = _LENGTH_DELIMITED) -> bytes:
    return _varint(number << 3 | wire_type)


@lru_cache(_CACHED)
def _varint(number: int) -> bytes:
    """Encodes a number from 0 on: seven bits per byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_DATA = _tag(pb.ForwardBackwardRequest.DATA_FIELD_NUMBER)
_MODEL_INPUT = _tag(pb.Datum.MODEL_INPUT_FIELD_NUMBER)
_LOSS_FN_INPUTS = _tag(pb.Datum.LOSS_FN_INPUTS_FIELD_NUMBER)
_ENCODED_TEXT = _tag(pb.Chunk.ENCODED_TEXT_FIELD_NUMBER)
_TOKENS = _tag(pb.EncodedTextChunk.TOKENS_FIELD_NUMBER)
_DENSE = _tag(pb.Tensor.DENSE_FIELD_NUMBER)
_SPARSE_CSR = _tag(pb.Tensor.SPARSE_CSR_FIELD_NUMBER)
_DTYPE = _tag(pb.Tensor.DTYPE_FIELD_NUMBER, _VARINT)
_SHAPE = _tag(pb.Tensor.SHAPE_FIELD_NUMBER)
_CSR = tuple(
    map(
        _tag,
        (
            pb.SparseCsr.VALUES_FIELD_NUMBER,
            pb.SparseCsr.CROW_INDICES_FIELD_NUMBER,
            pb.SparseCsr.COL_INDICES_FIELD_NUMBER,
        ),
    )
)


class Encoding:
    """The parts of a message in order, and their size in bytes. Building it copies no numbers."""

    __slots__ = ("parts", "size")

    def __init__(self, content: bytes = b"") -> None:
        self.parts: list[Part] = [content]
        self.size = len(content)

    def add_bytes(self, content: bytes) -> None:
        """Add encoded fields."""
        self.parts.append(content)
        self.size += len(content)

    def add(self, tag: bytes, message: Encoding) -> None:
        """Add a field that contains `message`."""
        header = tag + _varint(message.size)
        self.parts.append(header)
        self.parts += message.parts
        self.size += len(header) + message.size

    def add_numbers(
        self, head: bytes, numbers: Array | list[Array], size: int, tail: bytes = b""
    ) -> None:
        """Add `size` bytes of numbers, which must not change, and the bytes around them."""
        self.parts += (head, numbers, tail)
        self.size += len(head) + size + len(tail)

    def to_bytes(self, head: bytes = b"") -> bytes:
        """The encoded message after `head`, which may hold other fields of it."""
        return b"".join((head, *map(_buffer, self.parts)))


def _buffer(part: Part) -> Any:
    """The part as an object with a buffer."""
    return part[0].astype("<i4") if type(part) is list else part


def encode_data(
    data: Sequence[types.Datum], loss_fn: str, loss_fn_config: types.LossFnConfig | None
) -> Encoding:
    """Encodes the loss and the datums of a forward_backward body; `encode_head` has the rest.

    Raises:
        InvalidInputError: a datum contains a value that protobuf can't express.
    """
    request = pb.ForwardBackwardRequest(loss_fn=loss_fn)
    for name, setting in (loss_fn_config or {}).items():
        if isinstance(setting, str):
            request.loss_fn_config_v2[name].text = setting
            continue
        # Servers of 0.25 read the first field, those of 0.38 the second.
        request.loss_fn_config[name] = setting
        request.loss_fn_config_v2[name].number = setting
    encoding = Encoding(_serialize(request))
    for at, datum in enumerate(data):
        encoding.add(_DATA, _datum(datum, f"data[{at}]"))
    return encoding


def encode_head(model_id: str, seq_id: int, *, forward_only: bool) -> bytes:
    """The ids and flags of a forward_backward body; may precede or follow the data."""
    return _serialize(
        pb.ForwardBackwardRequest(model_id=model_id, seq_id=seq_id, forward_only=forward_only)
    )


def _serialize(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _datum(datum: types.Datum, where: str) -> Encoding:
    encoding = Encoding()
    for at, chunk in enumerate(datum.model_input.chunks):
        if isinstance(chunk, types.EncodedTextChunk):
            _add_text(encoding, chunk, where, at)
        else:
            message = _other_chunk(chunk, f"{where}.model_input.chunks[{at}]")
            encoding.add(_MODEL_INPUT, Encoding(_serialize(message)))
    for name in sorted(datum.loss_fn_inputs):
        _add_tensor(encoding, name, datum.loss_fn_inputs[name])
    if datum.model_input_spans or datum.loss_fn_input_spans:
        spans = _serialize(
            pb.Datum(
                model_input_spans=_spans(datum.model_input_spans or []),
                loss_fn_input_spans=_spans(datum.loss_fn_input_spans or []),
            )
        )
        encoding.add_bytes(spans)
    return encoding


def _add_text(encoding: Encoding, chunk: types.EncodedTextChunk, where: str, at: int) -> None:
    tokens = chunk.flat
    size = _TOKEN_BYTES * len(tokens)
    # Read with OR, which takes half the time of a maximum: a token id is not negative.
    if size and np.bitwise_or.reduce(tokens) > _LARGEST_TOKEN:
        raise InvalidInputError(
            f"{tokens.max()} is not a token id: servers accept 32-bit integers",
            where=f"{where}.model_input.chunks[{at}]",
        )
    encoding.add_numbers(_text_head(size), [tokens], size)


@lru_cache(_CACHED)
def _text_head(size: int) -> bytes:
    """The bytes of a text chunk before `size` bytes of tokens."""
    head = _TOKENS + _varint(size) if size else b""
    head = _ENCODED_TEXT + _varint(len(head) + size) + head
    return _MODEL_INPUT + _varint(len(head) + size) + head


def _add_tensor(encoding: Encoding, name: str, tensor: types.TensorData) -> None:
    shape = (tensor.size,) if tensor.shape is None else tuple(tensor.shape)
    values, indices = _wire(tensor.flat, _WIRE[tensor.dtype]), tensor.flat_indices
    if indices is None:
        head, tail = _dense_frame(name, tensor.dtype, shape, values.nbytes)
        encoding.add_numbers(head, values, values.nbytes, tail)
        return
    sparse = Encoding()
    arrays = (values, *(_wire(array, "<i8") for array in indices))
    for tag, array in zip(_CSR, arrays, strict=True):
        if array.size:  # Fields without a value are not written.
            sparse.add_numbers(tag + _varint(array.nbytes), array, array.nbytes)
    message = Encoding()
    message.add(_SPARSE_CSR, sparse)
    message.add_bytes(_dtype_and_shape(tensor.dtype, shape))
    entry = Encoding(_KEY + _varint(len(name.encode())) + name.encode())
    entry.add(_VALUE, message)
    encoding.add(_LOSS_FN_INPUTS, entry)


@lru_cache(_CACHED)
def _dense_frame(name: str, dtype: str, shape: tuple[int, ...], size: int) -> tuple[bytes, bytes]:
    """The bytes of an entry of `loss_fn_inputs` before and after `size` bytes of numbers."""
    tail = _dtype_and_shape(dtype, shape)
    head = _DENSE + _varint(size)
    head = _VALUE + _varint(len(head) + size + len(tail)) + head
    key = name.encode()
    head = _KEY + _varint(len(key)) + key + head
    return _LOSS_FN_INPUTS + _varint(len(head) + size + len(tail)) + head, tail


def _dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(map(_varint, shape))
    packed = _SHAPE + _varint(len(sizes)) + sizes if sizes else b""
    return _DTYPE + _varint(_DTYPES[dtype]) + packed


def _other_chunk(chunk: types.ModelInputChunk, where: str) -> pb.Chunk:
    message = pb.Chunk()
    if isinstance(chunk, types.ImageChunk):
        message.image.data = chunk.data
        message.image.format = chunk.format
        if chunk.expected is not None:
            message.image.expected_tokens = chunk.expected
    elif isinstance(chunk, types.DmelChunk):
        message.dmel.dmel = chunk.dmel
    else:
        raise InvalidInputError(
            "this server requires training data as protobuf, which can't express image pointers; "
            "send the image itself as an ImageChunk",
            where=where,
        )
    return message


def _wire(numbers: Array, dtype: str) -> Array:
    """The numbers in the byte order of the wire: the same array on most machines."""
    return numbers.astype(dtype, copy=False)


def _spans(spans: types.ProvenanceSpans) -> Iterator[pb.ProvenanceSpan]:
    for span in spans:
        message = pb.ProvenanceSpan()
        sampled = isinstance(span, types.SampledProvenanceSpan)
        part = message.sampled_tokens if sampled else message.prompt_tokens
        part.sequence_id, part.offset, part.length = span.sequence_id, span.offset, span.length
        yield message
