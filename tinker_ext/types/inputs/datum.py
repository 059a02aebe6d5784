"""Training data: datums, the provenance of their tokens, and the checks before they are sent."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import evolve, field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import (
    check_integer,
    is_finite_number,
    plain_int,
    plain_number,
)
from tinker_ext.types.inputs.model_input import (
    EncodedTextChunk,
    ImageForm,
    ModelInput,
    check_chunks,
)
from tinker_ext.types.inputs.params import LossFnConfig
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.number_buffer import (
    NumberSequence,
    SupportsArray,
    TensorDtype,
    is_torch,
)
from tinker_ext.types.tensors.tensor_data import TensorData

LossFnInputs: TypeAlias = dict[str, TensorData]

#: The dtype of a plain list under each known key of ``loss_fn_inputs``.
#: Release 0.4.1 has the first six, release 0.38.0 adds ``sequence_ratio_mask``.
DTYPE_BY_KEY: Mapping[str, TensorDtype] = MappingProxyType(
    {
        "target_tokens": "int64",
        "weights": "float32",
        "advantages": "float32",
        "logprobs": "float32",
        "clip_low_threshold": "float32",
        "clip_high_threshold": "float32",
        "sequence_ratio_mask": "float32",
    }
)
#: Keys whose torch matrices are sent in compressed sparse rows (0.38.0).
_SPARSE_KEYS = frozenset({"target_tokens", "weights"})
#: The values that `Datum` converts to tensors.
TensorInput: TypeAlias = TensorData | SupportsArray | NumberSequence

_count = check_integer("an integer >= 0", lambda x: x >= 0)


def _check_id(_instance: object, _attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(
            "expected a SampledSequence.sequence_id, a non-empty string", where="sequence_id"
        )


@frozen(kw_only=True)
class PromptProvenanceSpan(Record):
    """Tokens of the prompt of a sequence; `offset` counts from the first prompt token."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


@frozen(kw_only=True)
class SampledProvenanceSpan(Record):
    """Tokens of a sampled sequence; `offset` counts from the first sampled token."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


ProvenanceSpan: TypeAlias = PromptProvenanceSpan | SampledProvenanceSpan
#: Spans that follow each other without gaps.
ProvenanceSpans: TypeAlias = list[ProvenanceSpan]


def _read_spans(spans: object, where: str) -> ProvenanceSpans:
    kinds = PromptProvenanceSpan | SampledProvenanceSpan
    if not isinstance(spans, Sequence) or not all(isinstance(span, kinds) for span in spans):
        raise InvalidInputError(
            "expected a list of PromptProvenanceSpan and SampledProvenanceSpan objects", where=where
        )
    return list(spans)


def _check_cover(spans: Sequence[ProvenanceSpan], count: int, where: str) -> None:
    covered = sum(span.length for span in spans)
    if covered != count:
        raise InvalidInputError(
            f"the spans cover {covered} positions, expected {count}", where=where
        )


def _read_inputs(values: Mapping[str, TensorInput]) -> LossFnInputs:
    mapping: object = values
    if not isinstance(mapping, Mapping):
        raise InvalidInputError(
            f"expected a dict of tensors, got {type(mapping).__name__}", where="loss_fn_inputs"
        )
    try:
        return {key: _read_input(key, value) for key, value in values.items()}
    except InvalidInputError as error:
        error.__traceback__ = None  # It then ends with the call of Datum.
        raise


def _read_input(key: str, value: object) -> TensorData:
    if isinstance(value, TensorData):
        return value
    dtype = DTYPE_BY_KEY.get(key) if isinstance(value, list | tuple) else None
    tensor = TensorData.read(value, dtype=dtype, where=f"loss_fn_inputs[{key!r}]")
    return tensor.to_sparse() if key in _SPARSE_KEYS and is_torch(value) else tensor


def _check_model_input(_instance: object, _attribute: Any, value: Any) -> None:
    if not isinstance(value, ModelInput):
        raise InvalidInputError(
            f"expected a ModelInput, got {type(value).__name__}; "
            "pass token ids to ModelInput.from_ints(...)",
            where="model_input",
        )


def _input_spans(value: Sequence[ProvenanceSpan] | None) -> ProvenanceSpans | None:
    return None if value is None else _read_spans(value, "model_input_spans")


def _target_spans(value: Sequence[ProvenanceSpan] | None) -> ProvenanceSpans | None:
    return None if value is None else _read_spans(value, "loss_fn_input_spans")


@frozen
class Datum(Record):
    """One training example: the model's input and the tensors of the loss.

    `loss_fn_inputs` accepts lists, nested lists of equal length (2-D), numpy arrays, torch
    tensors and `TensorData`. Floating arrays and tensors become float32, integer ones int64. A list
    takes the dtype of its key (`DTYPE_BY_KEY`); under an unknown key it is int64 if all its numbers
    are ints, else float32 (release 0.4.1 raised KeyError).
    A mostly zero torch matrix under ``target_tokens`` or ``weights`` is stored in compressed sparse
    rows (`TensorData.from_torch_sparse`), as in release 0.38.0.

    The two lists of spans are the provenance of the tokens; set them with `with_provenance`. They
    are not sent to servers that take training data as JSON (before 0.25.0).

    Raises:
        InvalidInputError: bools, complex numbers, text, ragged lists, floats under
            ``target_tokens``, integers beyond int64, or spans for only one of the two fields;
            ``where`` names the field.

    >>> Datum(
    ...     model_input=ModelInput.from_ints([1, 2, 3]),
    ...     loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [0, 1, 1]},
    ... ).loss_fn_inputs["weights"].dtype
    'float32'
    """

    model_input: ModelInput = field(validator=_check_model_input)
    loss_fn_inputs: LossFnInputs = field(factory=dict, converter=_read_inputs)
    model_input_spans: ProvenanceSpans | None = field(default=None, converter=_input_spans)
    loss_fn_input_spans: ProvenanceSpans | None = field(default=None, converter=_target_spans)

    def __attrs_post_init__(self) -> None:
        if (self.model_input_spans is None) != (self.loss_fn_input_spans is None):
            raise InvalidInputError(
                "set spans for both fields or for neither", where="model_input_spans"
            )

    def with_provenance(
        self, model_input: Sequence[ProvenanceSpan], loss_fn_inputs: Sequence[ProvenanceSpan]
    ) -> Datum:
        """Returns the datum with the provenance of its input and its targets.

        Raises:
            InvalidInputError: the spans do not cover every position of their field.
        """
        _check_cover(model_input, self.model_input.length, "model_input")
        targets = self.loss_fn_inputs.get("target_tokens")
        if targets is not None and targets.shape is not None and len(targets.shape) == 1:
            _check_cover(loss_fn_inputs, targets.size, "loss_fn_inputs")
        return evolve(self, model_input_spans=model_input, loss_fn_input_spans=loss_fn_inputs)

    def to_dense(self) -> Datum:
        """Returns the datum with its sparse tensors converted to dense ones."""
        for tensor in self.loss_fn_inputs.values():
            if tensor.is_sparse:
                break
        else:
            return self
        dense = {key: tensor.to_dense() for key, tensor in self.loss_fn_inputs.items()}
        return evolve(self, loss_fn_inputs=dense)

    def to_api(self) -> api.Datum:
        """Builds the generated model, which references arrays without copying them."""
        inputs = api.LossFnInputs()
        inputs.additional_properties = {
            key: tensor.to_api() for key, tensor in self.loss_fn_inputs.items()
        }
        return api.Datum(loss_fn_inputs=inputs, model_input=self.model_input.to_api())


def number_count(datum: Datum) -> int:
    """The size of a datum for splitting batches: context length plus numbers in tensors.

    This is the measure of release 0.4.1 (`TrainingClient`, limit 500 000 per chunk). Servers with
    this limit do not support sparse tensors, so those count with their dense size.
    """
    numbers = datum.model_input.known_length
    for tensor in datum.loss_fn_inputs.values():
        numbers += tensor.dense_size
    return numbers


def byte_count(datum: Datum) -> int:
    """The size of a datum for servers that limit batches by bytes: 0.24.1 and later.

    A text token counts as 4 bytes; images, audio and tensors have a `byte_count` (0.38.0
    training_client.py).
    """
    size = 0
    for chunk in datum.model_input.chunks:
        size += chunk.byte_count
    for tensor in datum.loss_fn_inputs.values():
        size += tensor.byte_count
    return size


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
        check_chunks(datum.model_input, f"{where}.model_input", images)
        for key, tensor in datum.loss_fn_inputs.items():
            if tensor.dtype != "int64" and (at := tensor.first_not_finite()) is not None:
                raise InvalidInputError(
                    f"expected a finite float32 number, got {tensor.data[at]}",
                    where=f"{where}.loss_fn_inputs[{key!r}][{at}]",
                )
        if loss_fn == "cross_entropy":
            _check_cross_entropy(datum, f"{where}.loss_fn_inputs")


def _check_cross_entropy(datum: Datum, where: str) -> None:
    targets = datum.loss_fn_inputs.get("target_tokens")
    if targets is None:
        keys = ", ".join(map(repr, datum.loss_fn_inputs)) or "no keys"
        raise InvalidInputError(f"cross_entropy requires 'target_tokens', got {keys}", where=where)
    if targets.dtype != "int64":
        raise InvalidInputError(
            f"expected dtype int64, got {targets.dtype}", where=f"{where}['target_tokens']"
        )
    # A tensor without a shape, or a scalar, has one dimension.
    shape = targets.shape or [targets.size]
    tokens = 0
    for chunk in datum.model_input.chunks:
        if not isinstance(chunk, EncodedTextChunk):
            break
        tokens += chunk.length
    else:
        if shape[0] != tokens:
            raise InvalidInputError(
                f"expected {tokens} targets to match the input tokens, got {shape[0]}",
                where=f"{where}['target_tokens']",
            )
    weights = datum.loss_fn_inputs.get("weights")
    if weights is None:
        return
    weights_shape = weights.shape or [weights.size]
    if len(weights_shape) == len(shape) and weights_shape != shape:
        raise InvalidInputError(
            f"expected shape {shape} to match target_tokens, got {weights_shape}",
            where=f"{where}['weights']",
        )


def parse_loss_config(config: LossFnConfig | None) -> dict[str, float | str] | None:
    """Converts the parameters of a loss to Python numbers and strings.

    Raises:
        InvalidInputError: a name is not a string, or a parameter is neither a string nor a finite
            number; `where` names it.
    """
    if config is None:
        return None
    if not isinstance(config, Mapping):
        raise InvalidInputError(
            f"expected a mapping, got {type(config).__name__}", where="loss_fn_config"
        )
    plain = {name: plain_number(value) for name, value in config.items()}
    for name, value in plain.items():
        if not isinstance(name, str):
            raise InvalidInputError(
                f"expected names of parameters, got {name!r}", where="loss_fn_config"
            )
        if not (isinstance(value, str) or is_finite_number(value)):
            raise InvalidInputError(
                f"expected a finite number or a string, got {value!r}",
                where=f"loss_fn_config[{name!r}]",
            )
    return plain


def read_config(config: LossFnConfig | None) -> dict[str, float | str] | None:
    """Deprecated; use `parse_loss_config`."""
    warnings.warn(
        "read_config is deprecated; use parse_loss_config", DeprecationWarning, stacklevel=2
    )
    return parse_loss_config(config)
