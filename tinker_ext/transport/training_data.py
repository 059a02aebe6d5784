"""The inputs of a request in the encodings that servers accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from attrs import evolve
from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext.errors import InvalidInputError
from tinker_ext.transport.encoding import PreEncoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext import types
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.types.inputs.images import ImageForm

Image: TypeAlias = models.ImageChunk | models.ImageAssetPointerChunk
_IMAGES = (models.ImageChunk, models.ImageAssetPointerChunk)


class TrainingData:
    """The datums and the loss of one request.

    Encoded for `protocol` when created, on the caller's thread, and again only if the server turns
    out to accept another protocol.
    """

    def __init__(
        self,
        operation: str,
        data: Sequence[types.Datum],
        loss_fn: str,
        loss_fn_config: types.LossFnConfig | None,
        protocol: ServerProtocol,
    ) -> None:
        self._operation = operation
        self._data = data
        self._loss_fn = loss_fn
        self._loss_fn_config = loss_fn_config
        self._json: dict[tuple[ImageForm, bool], PreEncoded] = {}
        self._protobuf: Sequence[bytes] | None = None
        if protocol.form_of(operation) == "protobuf":
            self._size = sum(map(len, self._parts()))
        else:
            self._size = len(self._encoded(protocol))

    def __len__(self) -> int:
        """The number of bytes of the first encoding."""
        return self._size

    def json(self, protocol: ServerProtocol) -> models.ForwardBackwardInput:
        """The encoded data, typed as the model that it replaces."""
        return cast("models.ForwardBackwardInput", self._encoded(protocol))

    def protobuf(self, model_id: str, seq_id: int, *, forward_only: bool, compress: bool) -> bytes:
        """The body of a whole request, optionally compressed with zstd (RFC 8878)."""
        from tinker_ext.transport.protobuf import encode_head

        # Concatenated protobuf messages are one message with the fields of all.
        body = b"".join([encode_head(model_id, seq_id, forward_only=forward_only), *self._parts()])
        if not compress:
            return body
        import zstandard

        return zstandard.ZstdCompressor().compress(body)

    def _encoded(self, protocol: ServerProtocol) -> PreEncoded:
        images, sparse = protocol.images_of(self._operation), protocol.sparse_in(self._operation)
        form = (images, sparse)
        if form not in self._json:
            body = models.ForwardBackwardInput(
                data=[_datum(datum, images, sparse, at) for at, datum in enumerate(self._data)],
                loss_fn=self._loss_fn,
            )
            if self._loss_fn_config is not None:
                body.loss_fn_config = models.LossFnConfig.from_dict(dict(self._loss_fn_config))
            self._json[form] = PreEncoded(body)
        return self._json[form]

    def _parts(self) -> Sequence[bytes]:
        if self._protobuf is None:
            from tinker_ext.transport.protobuf import encode_data

            self._protobuf = encode_data(self._data, self._loss_fn, self._loss_fn_config)
        return self._protobuf


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
    if not any(isinstance(chunk, _IMAGES) for chunk in model_input.chunks):
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
