"""One request's training data, in whichever form the server takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tinker_api import models

from tinker_ext.transport.encoding import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinker_ext import types


class TrainingData:
    """The datums of one request with their loss, encoded as JSON when it is made.

    That is done on the caller's thread. Where the server turns out to speak protobuf, `protobuf`
    encodes the same datums anew.
    """

    def __init__(
        self,
        data: Sequence[types.Datum],
        loss_fn: str,
        loss_fn_config: Mapping[str, float] | None,
    ) -> None:
        self._data = data
        self._loss_fn = loss_fn
        self._loss_fn_config = loss_fn_config
        body = models.ForwardBackwardInput(data=[datum.to_api() for datum in data], loss_fn=loss_fn)
        if loss_fn_config is not None:
            body.loss_fn_config = models.LossFnConfig.from_dict(dict(loss_fn_config))
        self._json = Encoded(body)

    def __len__(self) -> int:
        """Bytes of JSON."""
        return len(self._json)

    @property
    def json(self) -> models.ForwardBackwardInput:
        """Stands in for the model that it is the encoding of."""
        return cast("models.ForwardBackwardInput", self._json)

    def protobuf(self, model_id: str, seq_id: int, *, forward_only: bool) -> bytes:
        """The body of a whole request."""
        from tinker_ext.transport.protobuf import encode_request

        return encode_request(
            model_id,
            seq_id,
            self._data,
            self._loss_fn,
            self._loss_fn_config,
            forward_only=forward_only,
        )
