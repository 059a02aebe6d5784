"""What can be known wrong about training data before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.chunks import EncodedTextChunk
from tinker_ext.types.inputs.datum import Datum
from tinker_ext.types.inputs.images import Image, ImageForm
from tinker_ext.types.inputs.model_input import ModelInput

if TYPE_CHECKING:
    from tinker_ext.types.tensors.tensor_data import TensorData


def number_count(datum: Datum) -> int:
    """How much a datum weighs when a batch is split: context length plus numbers in tensors.

    The measure of release 0.4.1 (`TrainingClient`, limit 500 000 a chunk). Servers that it is for
    know no compressed rows; they are sent all numbers.
    """
    return datum.model_input.known_length + sum(
        tensor.dense_size for tensor in datum.loss_fn_inputs.values()
    )


def byte_count(datum: Datum) -> int:
    """How much a datum weighs for servers that count bytes: 0.24.1 and later.

    Text has 4 bytes a token; images, sound and tensors have their own (0.38.0
    training_client.py).
    """
    chunks = sum(chunk.byte_count for chunk in datum.model_input.chunks)
    return chunks + sum(tensor.byte_count for tensor in datum.loss_fn_inputs.values())


def validate_data(
    data: Sequence[Datum], *, loss_fn: str | None = None, images: ImageForm = "sizes"
) -> None:
    """Refuse data no server can use. Types, dtypes and shapes were checked when it was built.

    Checked: every item is a `Datum`; inputs aren't empty; images have what `images` asks for; no
    NaN or infinity (JSON has none).
    With ``loss_fn="cross_entropy"`` also: ``target_tokens`` is there, holds integers, and has
    one row per token where the input is all text; ``weights`` of as many dimensions has the
    same shape. Negative targets pass: a server may take them for padding.
    Everything else is the server's to judge: servers know losses this client doesn't.

    Raises:
        InvalidInputError: ``where`` is like ``data[3].loss_fn_inputs['weights'][17]``.
    """
    if not isinstance(data, Sequence):
        raise InvalidInputError(f"expected a list of Datum, got {type(data).__name__}", "data")
    for at, datum in enumerate(data):
        where = f"data[{at}]"
        if not isinstance(datum, Datum):
            raise InvalidInputError(f"expected a Datum, got {type(datum).__name__}", where=where)
        _check_input(datum.model_input, f"{where}.model_input", images)
        for key, tensor in datum.loss_fn_inputs.items():
            _check_finite(tensor, f"{where}.loss_fn_inputs[{key!r}]")
        if loss_fn == "cross_entropy":
            _check_cross_entropy(datum, f"{where}.loss_fn_inputs")


def validate_prompt(prompt: ModelInput, *, images: ImageForm = "sizes") -> None:
    """Refuse a prompt no server can use: no `ModelInput`, no tokens, an image without what the
    server has to be told of it.

    Raises:
        InvalidInputError: ``where`` starts with ``prompt``.
    """
    if not isinstance(prompt, ModelInput):
        raise InvalidInputError(
            f"expected a ModelInput, got {type(prompt).__name__}; "
            "token ids go through ModelInput.from_ints(...)",
            where="prompt",
        )
    _check_input(prompt, "prompt", images)


def _check_input(model_input: ModelInput, where: str, images: ImageForm) -> None:
    for at, chunk in enumerate(model_input.chunks):
        missing = chunk.missing(images) if isinstance(chunk, Image) else []
        if missing:
            raise InvalidInputError(
                f"an image needs its {', '.join(missing)}", where=f"{where}.chunks[{at}]"
            )
    if all(chunk.known_length == 0 for chunk in model_input.chunks):
        raise InvalidInputError("the input has no tokens", where=where)


def _check_finite(tensor: TensorData, where: str) -> None:
    at = tensor.first_not_finite()
    if at is not None:
        raise InvalidInputError(
            f"{tensor.data[at]} can't be sent: values must be finite float32 numbers",
            where=f"{where}[{at}]",
        )


def _check_cross_entropy(datum: Datum, where: str) -> None:
    targets = datum.loss_fn_inputs.get("target_tokens")
    if targets is None:
        raise InvalidInputError("cross_entropy needs 'target_tokens'", where=where)
    if targets.dtype != "int64":
        raise InvalidInputError(
            f"token ids are int64, not {targets.dtype}", where=f"{where}['target_tokens']"
        )
    text_only = all(isinstance(c, EncodedTextChunk) for c in datum.model_input.chunks)
    shape = _shape(targets)
    if text_only and shape[0] != datum.model_input.length:
        raise InvalidInputError(
            f"{shape[0]} targets for {datum.model_input.length} input tokens; "
            "there must be as many",
            where=f"{where}['target_tokens']",
        )
    weights = datum.loss_fn_inputs.get("weights")
    if weights is None or len(_shape(weights)) != len(shape):
        return
    if _shape(weights) != shape:
        raise InvalidInputError(
            f"shape {_shape(weights)} differs from target_tokens' {shape}",
            where=f"{where}['weights']",
        )


def _shape(tensor: TensorData) -> list[int]:
    """The shape; a tensor without one, or a bare number, counts as one dimension."""
    return tensor.shape or [tensor.size]
