"""The inputs of a request in the encodings that servers accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve
from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.model_input import EncodedTextChunk, ImageAssetPointerChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext import types
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.transport.protobuf_encoding import Encoding
    from tinker_ext.types.inputs.model_input import ImageForm

Image: TypeAlias = models.ImageChunk | models.ImageAssetPointerChunk
_IMAGES = (models.ImageChunk, models.ImageAssetPointerChunk)


# Estimated characters of a number and its comma: token ids have up to six digits, float32 numbers
# nine, a sign and a point.
_JSON_WIDTHS = {"int64": 7, "float32": 12}


class TrainingData:
    """The datums and the loss of one request.

    Checked when created, on the caller's thread, and encoded when it is sent: a batch of many
    requests then needs memory only for those in flight. An encoding is not kept, so that its memory
    is free as soon as the request is sent.
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
        self._models: dict[tuple[ImageForm, bool], models.ForwardBackwardInput] = {}
        self._protobuf: Encoding | None = None
        self._check_texts()
        if protocol.form_of(operation) == "protobuf":
            self._size = self._encoding().size
        else:
            self.json(protocol)
            self._size = sum(map(_json_size, data))

    def __len__(self) -> int:
        """The number of bytes as protobuf, or an estimate for JSON."""
        return self._size

    def json(self, protocol: ServerProtocol) -> models.ForwardBackwardInput:
        """The generated model, which references the numbers of the datums."""
        images, sparse = protocol.images_of(self._operation), protocol.sparse_in(self._operation)
        form = (images, sparse)
        if form not in self._models:
            body = models.ForwardBackwardInput(
                data=[_datum(datum, images, sparse, at) for at, datum in enumerate(self._data)],
                loss_fn=self._loss_fn,
            )
            if self._loss_fn_config is not None:
                body.loss_fn_config = models.LossFnConfig.from_dict(dict(self._loss_fn_config))
            self._models[form] = body
        return self._models[form]

    def protobuf(self, model_id: str, seq_id: int, *, forward_only: bool, compress: bool) -> bytes:
        """The body of a whole request, optionally compressed with zstd (RFC 8878)."""
        from tinker_ext.transport.protobuf_encoding import encode_head

        # Concatenated protobuf messages are one message with the fields of all.
        body = self._encoding().to_bytes(encode_head(model_id, seq_id, forward_only=forward_only))
        if not compress:
            return body
        import zstandard

        return zstandard.ZstdCompressor().compress(body)

    def _encoding(self) -> Encoding:
        """The parts of the protobuf body, which reference the numbers of the datums."""
        if self._protobuf is None:
            from tinker_ext.transport.protobuf_encoding import encode_data

            self._protobuf = encode_data(self._data, self._loss_fn, self._loss_fn_config)
        return self._protobuf

    def _check_texts(self) -> None:
        _check_utf8(self._loss_fn, "loss_fn")
        for name, setting in (self._loss_fn_config or {}).items():
            _check_utf8(name, "loss_fn_config")
            _check_utf8(setting, f"loss_fn_config[{name!r}]")
        for at, datum in enumerate(self._data):
            for name in datum.loss_fn_inputs:
                _check_utf8(name, f"data[{at}].loss_fn_inputs")
            for place, chunk in enumerate(datum.model_input.chunks):
                if isinstance(chunk, ImageAssetPointerChunk):
                    where = f"data[{at}].model_input.chunks[{place}].location"
                    _check_utf8(chunk.location, where)


def _check_utf8(value: object, where: str) -> None:
    """Rejects text that neither encoding can express."""
    if isinstance(value, str) and not value.isascii():
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


def adapt_images(model_input: models.ModelInput, form: ImageForm, where: str) -> models.ModelInput:
    """A copy whose images have only the fields that servers of `form` accept.

    Raises:
        InvalidInputError: a required field is not set; `where` is the caller's name of the input.
    """
    for chunk in model_input.chunks:
        if isinstance(chunk, _IMAGES):
            break
    else:
        return model_input
    chunks: list[Any] = [
        _adapt_image(chunk, form, f"{where}.chunks[{at}]") if isinstance(chunk, _IMAGES) else chunk
        for at, chunk in enumerate(model_input.chunks)
    ]
    return evolve(model_input, chunks=chunks)


def _adapt_image(image: Image, form: ImageForm, where: str) -> Image:
    if form == "expected_tokens":
        return evolve(image, height=UNSET, width=UNSET, tokens=UNSET)
    required = {"height": image.height, "width": image.width, "tokens": image.tokens}
    missing = [name for name, size in required.items() if isinstance(size, Unset)]
    if missing:
        raise InvalidInputError(
            f"this server requires {', '.join(missing)} of each image", where=where
        )
    return evolve(image, expected_tokens=UNSET)
