"""Validation of training data and prompts before they are sent."""

from __future__ import annotations

from collections.abc import Sequence

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.chunks import EncodedTextChunk
from tinker_ext.types.inputs.datum import Datum
from tinker_ext.types.inputs.images import Image, ImageForm
from tinker_ext.types.inputs.model_input import ModelInput
from tinker_ext.types.tensors.tensor_data import TensorData


def number_count(datum: Datum) -> int:
    """The size of a datum for splitting batches: context length plus numbers in tensors.

    This is the measure of release 0.4.1 (`TrainingClient`, limit 500 000 per chunk). Servers with
    this limit do not support sparse tensors, so those count with their dense size.
    """
    return datum.model_input.known_length + sum(
        tensor.dense_size for tensor in datum.loss_fn_inputs.values()
    )


def byte_count(datum: Datum) -> int:
    """The size of a datum for servers that limit batches by bytes: 0.24.1 and later.

    A text token counts as 4 bytes; images, audio and tensors have a `byte_count` (0.38.0
    training_client.py).
    """
    chunks = sum(chunk.byte_count for chunk in datum.model_input.chunks)
    return chunks + sum(tensor.byte_count for tensor in datum.loss_fn_inputs.values())


def validate_data(
    data: Sequence[Datum], *, loss_fn: str | None = None, images: ImageForm = "sizes"
) -> None:
    """Rejects data that no server accepts. Construction has checked types, dtypes and shapes.

    Every item must be a `Datum` with a non-empty input and without NaN or infinity (JSON has
    neither); images need the fields that `images` requires.
    With ``loss_fn="cross_entropy"``, ``target_tokens`` must be present, of integers, and have
    one row per token if the input is all text; ``weights`` with the same number of dimensions must
    have the same shape. Negative targets are accepted: a server may treat them as padding.
    The server checks everything else, because it may have losses that this client does not know.

    Raises:
        InvalidInputError: `where` is a path such as ``data[3].loss_fn_inputs['weights'][17]``.
    """
    if not isinstance(data, Sequence):
        raise InvalidInputError(f"expected a list of Datum, got {type(data).__name__}", "data")
    for index, datum in enumerate(data):
        where = f"data[{index}]"
        if not isinstance(datum, Datum):
            raise InvalidInputError(f"expected a Datum, got {type(datum).__name__}", where=where)
        _check_input(datum.model_input, f"{where}.model_input", images)
        for key, tensor in datum.loss_fn_inputs.items():
            _check_finite(tensor, f"{where}.loss_fn_inputs[{key!r}]")
        if loss_fn == "cross_entropy":
            _check_cross_entropy(datum, f"{where}.loss_fn_inputs")


def validate_prompt(prompt: ModelInput, *, images: ImageForm = "sizes") -> None:
    """Rejects a prompt that no server accepts.

    Raises:
        InvalidInputError: the prompt is not a `ModelInput`, has no tokens, or has an image without
            the fields that `images` requires; `where` starts with ``prompt``.
    """
    if not isinstance(prompt, ModelInput):
        raise InvalidInputError(
            f"expected a ModelInput, got {type(prompt).__name__}; "
            "pass token ids to ModelInput.from_ints(...)",
            where="prompt",
        )
    _check_input(prompt, "prompt", images)


def _check_input(model_input: ModelInput, where: str, images: ImageForm) -> None:
    for index, chunk in enumerate(model_input.chunks):
        missing = chunk.missing(images) if isinstance(chunk, Image) else []
        if missing:
            raise InvalidInputError(
                f"missing image fields: {', '.join(missing)}", where=f"{where}.chunks[{index}]"
            )
    if all(chunk.known_length == 0 for chunk in model_input.chunks):
        raise InvalidInputError("the input has no tokens", where=where)


def _check_finite(tensor: TensorData, where: str) -> None:
    index = tensor.first_not_finite()
    if index is not None:
        raise InvalidInputError(
            f"expected a finite float32 number, got {tensor.data[index]}",
            where=f"{where}[{index}]",
        )


def _check_cross_entropy(datum: Datum, where: str) -> None:
    targets = datum.loss_fn_inputs.get("target_tokens")
    if targets is None:
        keys = ", ".join(map(repr, datum.loss_fn_inputs)) or "no keys"
        raise InvalidInputError(f"cross_entropy requires 'target_tokens', got {keys}", where=where)
    if targets.dtype != "int64":
        raise InvalidInputError(
            f"expected dtype int64, got {targets.dtype}", where=f"{where}['target_tokens']"
        )
    text_only = all(isinstance(c, EncodedTextChunk) for c in datum.model_input.chunks)
    shape = _shape(targets)
    if text_only and shape[0] != datum.model_input.length:
        raise InvalidInputError(
            f"expected {datum.model_input.length} targets to match the input tokens, "
            f"got {shape[0]}",
            where=f"{where}['target_tokens']",
        )
    weights = datum.loss_fn_inputs.get("weights")
    if weights is None or len(_shape(weights)) != len(shape):
        return
    if _shape(weights) != shape:
        raise InvalidInputError(
            f"expected shape {shape} to match target_tokens, got {_shape(weights)}",
            where=f"{where}['weights']",
        )


def _shape(tensor: TensorData) -> list[int]:
    """The shape; a tensor without a shape, or a scalar, has one dimension."""
    return tensor.shape or [tensor.size]
