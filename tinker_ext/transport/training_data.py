"""Training data, and the requests that carry it, in the encodings that servers accept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tinker_api import models
from tinker_api.types import File

from tinker_ext.errors import InvalidInputError
from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.transport.operations import Request, adapt_images, forward, forward_backward
from tinker_ext.types.inputs.model_input import EncodedTextChunk, ImageAssetPointerChunk, ImageForm

if TYPE_CHECKING:
    from tinker_ext import types
    from tinker_ext.transport.protobuf import Encoding

#: Bytes of a training body that the event loop copies itself, in less than a millisecond; ours. For
#: a small step, another thread would take longer to start than to copy.
SMALL_BODY = 64 * 1024
# zstd (RFC 8878, section 7.2), as 0.38.0 sends it.
_COMPRESSED = {"Content-Encoding": "zstd"}
# Estimated characters of a number and its comma: token ids have up to six digits, float32 numbers
# nine, a sign and a point.
_JSON_WIDTHS = {"int64": 7, "float32": 12}


class TrainingData:
    """The datums and the loss of one request.

    Checked when created, on the caller's thread, and encoded when it is sent: a batch of many
    requests then needs memory only for those in flight. An encoding is not kept, so that its memory
    is free as soon as the request is sent.

    Attributes:
        size: the number of bytes as protobuf, or an estimate for JSON.
    """

    def __init__(
        self,
        operation: str,
        data: Sequence[types.Datum],
        loss_fn: str,
        loss_fn_config: types.LossFnConfig | None,
        protocol: ServerProtocol,
    ) -> None:
        """Builds everything but the encoded numbers.

        Raises:
            InvalidInputError: a value can't be expressed in the encoding that `protocol` requires.
        """
        self._operation = operation
        self._data = data
        self._loss_fn = loss_fn
        self._loss_fn_config = loss_fn_config
        self._protocol: ServerProtocol | None = None
        self._form: tuple[ImageForm, bool] | None = None
        self._json: models.ForwardBackwardInput | None = None
        self._protobuf: Encoding | None = None
        self._check_texts()
        if protocol.form_of(operation) == "protobuf":
            self.size = self._encoding().size
        else:
            self.json(protocol)
            self.size = sum(map(_json_size, data))

    def json(self, protocol: ServerProtocol) -> models.ForwardBackwardInput:
        """The generated model, which references the numbers of the datums."""
        if self._json is None or protocol is not self._protocol:
            images, sparse = (
                protocol.images_of(self._operation),
                protocol.sparse_in(self._operation),
            )
            if self._json is None or (images, sparse) != self._form:
                self._json = models.ForwardBackwardInput(
                    data=[_datum(datum, images, sparse, at) for at, datum in enumerate(self._data)],
                    loss_fn=self._loss_fn,
                )
                if self._loss_fn_config is not None:
                    config = models.LossFnConfig.from_dict(dict(self._loss_fn_config))
                    self._json.loss_fn_config = config
            self._protocol, self._form = protocol, (images, sparse)
        return self._json

    def protobuf(self, model_id: str, seq_id: int, *, forward_only: bool, compress: bool) -> bytes:
        """The body of a whole request, optionally compressed with zstd (RFC 8878)."""
        from tinker_ext.transport.protobuf import encode_head

        # Concatenated protobuf messages are one message with the fields of all.
        body = self._encoding().to_bytes(encode_head(model_id, seq_id, forward_only=forward_only))
        if not compress:
            return body
        import zstandard

        return zstandard.ZstdCompressor().compress(body)

    def _encoding(self) -> Encoding:
        """The parts of the protobuf body, which reference the numbers of the datums."""
        if self._protobuf is None:
            from tinker_ext.transport.protobuf import encode_data

            self._protobuf = encode_data(self._data, self._loss_fn, self._loss_fn_config)
        return self._protobuf

    def _check_texts(self) -> None:
        """Rejects texts that neither encoding can express."""
        _check_utf8(self._loss_fn, "loss_fn")
        for name, setting in (self._loss_fn_config or {}).items():
            _check_utf8(name, "loss_fn_config")
            _check_utf8(setting, f"loss_fn_config[{name!r}]")
        for at, datum in enumerate(self._data):
            for name in datum.loss_fn_inputs:
                if not name.isascii():
                    _check_utf8(name, f"data[{at}].loss_fn_inputs")
            for place, chunk in enumerate(datum.model_input.chunks):
                if isinstance(chunk, ImageAssetPointerChunk):
                    where = f"data[{at}].model_input.chunks[{place}].location"
                    _check_utf8(chunk.location, where)


def _check_utf8(value: object, where: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"{value!r} is not valid Unicode: {error}", where) from None


def _json_size(datum: types.Datum) -> int:
    """Estimates the bytes of a datum as JSON."""
    size = 0
    for chunk in datum.model_input.chunks:
        text = isinstance(chunk, EncodedTextChunk)
        size += _JSON_WIDTHS["int64"] * chunk.length if text else chunk.byte_count * 4 // 3
    for tensor in datum.loss_fn_inputs.values():
        size += _JSON_WIDTHS[tensor.dtype] * tensor.size
    return size


def _datum(datum: types.Datum, images: ImageForm, sparse: bool, at: int) -> models.Datum:
    message = (datum if sparse else datum.to_dense()).to_api()
    where = f"data[{at}].model_input"
    message.model_input = adapt_images(message.model_input, images, where)
    return message


class TrainingRequest(Request[models.UntypedAPIFuture]):
    """A `forward` or `forward_backward`, in the encoding that the server accepts."""

    __slots__ = ("_content", "_data", "_model_id", "_seq_id")

    def __init__(self, data: TrainingData, model_id: str, *, forward_only: bool) -> None:
        super().__init__(forward if forward_only else forward_backward, size=data.size)
        self._data = data
        self._model_id = model_id
        self._seq_id = 0
        self._content: bytes | None = None

    needs_preparation = True

    def number(self, seq_id: int) -> None:
        self._seq_id = seq_id

    async def prepare(self, protocol: ServerProtocol) -> None:
        self._content = None
        if protocol.form_of(self.operation.name) == "protobuf":
            encode = partial(
                self._data.protobuf,
                self._model_id,
                self._seq_id,
                forward_only=self.operation is forward,
                compress=protocol.compresses,
            )
            if self.size <= SMALL_BODY:
                self._content = encode()
            else:
                # Not as the result of the thread's future: that refers to itself, and would keep
                # the body until the garbage collection.
                encoded: list[bytes] = []
                await asyncio.to_thread(lambda: encoded.append(encode()))
                self._content = encoded.pop()

    def build(self, protocol: ServerProtocol) -> dict[str, Any]:
        # The batch keeps this request until its result is there. Its body would stay in memory.
        content, self._content = self._content, None
        if content is not None:
            self.headers = _COMPRESSED if protocol.compresses else {}
            return forward_backward.build(body=File(payload=BytesIO(content)))
        self.headers = {}
        data = self._data.json(protocol)
        numbered: dict[str, Any] = {"model_id": self._model_id, "seq_id": self._seq_id}
        if self.operation is forward:
            return forward.build(body=models.ForwardRequest(forward_input=data, **numbered))
        return forward_backward.build(
            body=models.ForwardBackwardRequest(forward_backward_input=data, **numbered)
        )
