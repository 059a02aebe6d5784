"""One request's training data, in whichever form the server takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tinker_api import models

from tinker_ext.transport.encoding import PreEncoded
from tinker_ext.transport.images import with_images_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext import types
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.types.inputs.images import ImageForm


class TrainingData:
    """The datums of one request with their loss, encoded for a dialect when it is made.

    That is done on the caller's thread. Where the server turns out to speak another, they are
    encoded anew.
    """

    def __init__(
        self,
        data: Sequence[types.Datum],
        loss_fn: str,
        loss_fn_config: types.LossFnConfig | None,
        dialect: ServerProtocol,
    ) -> None:
        self._data = data
        self._loss_fn = loss_fn
        self._loss_fn_config = loss_fn_config
        self._json: dict[tuple[ImageForm, bool], PreEncoded] = {}
        self._protobuf: Sequence[bytes] | None = None
        if dialect.training_body == "protobuf":
            self._size = sum(map(len, self._parts()))
        else:
            self._size = len(self._encoded(dialect))

    def __len__(self) -> int:
        """Bytes in the first form."""
        return self._size

    def json(self, dialect: ServerProtocol) -> models.ForwardBackwardInput:
        """Stands in for the model that it is the encoding of."""
        return cast("models.ForwardBackwardInput", self._encoded(dialect))

    def protobuf(self, model_id: str, seq_id: int, *, forward_only: bool, compress: bool) -> bytes:
        """The body of a whole request, compressed by zstd (RFC 8878) where that is asked for."""
        from tinker_ext.transport.protobuf import encode_head

        # Messages put after each other are one message with the fields of all.
        body = b"".join([encode_head(model_id, seq_id, forward_only=forward_only), *self._parts()])
        if not compress:
            return body
        import zstandard

        return zstandard.ZstdCompressor().compress(body)

    def _encoded(self, dialect: ServerProtocol) -> PreEncoded:
        form = (dialect.images, dialect.sparse)
        if form not in self._json:
            body = models.ForwardBackwardInput(
                data=[_datum(datum, dialect, at) for at, datum in enumerate(self._data)],
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


def _datum(datum: types.Datum, dialect: ServerProtocol, at: int) -> models.Datum:
    found = (datum if dialect.sparse else datum.to_dense()).to_api()
    where = f"data[{at}].model_input"
    found.model_input = with_images_as(found.model_input, dialect.images, where)
    return found
