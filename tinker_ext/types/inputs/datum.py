"""`Datum`: one training example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import evolve, field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.model_input import ModelInput
from tinker_ext.types.inputs.provenance import (
    ProvenanceSpan,
    ProvenanceSpans,
    check_cover,
    read_spans,
)
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.array_input import NumberSequence
from tinker_ext.types.tensors.arrays import SupportsArray, TensorDtype, is_torch
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
    return read_spans(value, "model_input_spans")


def _target_spans(value: Sequence[ProvenanceSpan] | None) -> ProvenanceSpans | None:
    return read_spans(value, "loss_fn_input_spans")


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
        check_cover(model_input, self.model_input.length, "model_input")
        targets = self.loss_fn_inputs.get("target_tokens")
        if targets is not None and targets.shape is not None and len(targets.shape) == 1:
            check_cover(loss_fn_inputs, targets.size, "loss_fn_inputs")
        return evolve(self, model_input_spans=model_input, loss_fn_input_spans=loss_fn_inputs)

    def to_dense(self) -> Datum:
        """Returns the datum with its sparse tensors converted to dense ones."""
        if not any(tensor.is_sparse for tensor in self.loss_fn_inputs.values()):
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
