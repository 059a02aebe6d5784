"""Validates sequences and pads them to batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.losses import INPUT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from tinker_ext.embedded.engine.losses import Loss
    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]

TOKENS_PER_BATCH = 2048
"""Padded tokens per batch: enough for efficient matrix products, with about 200 MB of recorded
activations."""


@frozen(eq=False)
class TrainingDatum:
    """One sequence: token ids (n,) and the per-token inputs of the loss, each (n,)."""

    tokens: npt.NDArray[np.integer[Any]]
    inputs: Mapping[str, npt.NDArray[Any]]


@frozen(eq=False)
class Batch:
    """Datums of similar length, padded on the right with token 0 and input 0.

    `indices` are the datums' positions in the request, `lengths` their lengths without padding.
    """

    indices: list[int]
    lengths: list[int]
    tokens: Integers
    targets: Integers
    inputs: dict[str, Array]

    def split(self, values: Array) -> Iterator[tuple[int, Array]]:
        """Split flat (rows * time,) values by datum, without padding."""
        rows = values.reshape(self.tokens.shape)
        for row, (index, length) in enumerate(zip(self.indices, self.lengths, strict=True)):
            yield index, rows[row, :length].astype(np.float32)


def make_batches(base: BaseModel, data: Sequence[TrainingDatum], loss: Loss) -> list[Batch]:
    """Check all datums, then group those of similar length, in a fixed order.

    Raises:
        EngineInputError: a datum is invalid; the message names the first one and its field.
    """
    if not data:
        raise EngineInputError("no datum: the list is empty", where="data")
    for index, datum in enumerate(data):
        _check(base, datum, loss, f"data[{index}]")
    by_length = sorted(range(len(data)), key=lambda index: (len(data[index].tokens), index))
    groups: list[list[int]] = [[]]
    for index in by_length:
        if groups[-1] and (len(groups[-1]) + 1) * len(data[index].tokens) > TOKENS_PER_BATCH:
            groups.append([])
        groups[-1].append(index)
    return [_pad(base, data, loss, group) for group in groups]


def _pad(base: BaseModel, data: Sequence[TrainingDatum], loss: Loss, group: list[int]) -> Batch:
    lengths = [len(data[index].tokens) for index in group]
    size = (len(group), max(lengths))
    tokens, targets = np.zeros(size, np.int64), np.zeros(size, np.int64)
    inputs = {name: np.zeros(size, base.dtype) for name in loss.reads}
    for row, (index, length) in enumerate(zip(group, lengths, strict=True)):
        datum = data[index]
        tokens[row, :length] = datum.tokens
        targets[row, :length] = datum.inputs["target_tokens"]
        for name, padded in inputs.items():
            padded[row, :length] = datum.inputs.get(name, 1.0)
    flat = {name: padded.reshape(-1) for name, padded in inputs.items()}
    return Batch(group, lengths, tokens, targets.reshape(-1), flat)


def _check(base: BaseModel, datum: TrainingDatum, loss: Loss, where: str) -> None:
    check_tokens(base, datum.tokens, f"{where}.model_input")
    unknown = sorted(set(datum.inputs) - set(INPUT_NAMES))
    if unknown:
        known = ", ".join(INPUT_NAMES)
        raise EngineInputError(f"unknown inputs {unknown}; known: {known}", where=where)
    for name in ("target_tokens", *loss.required):
        if name not in datum.inputs:
            raise EngineInputError(f"loss_fn_inputs has no {name!r}", where=where)
    for name in ("target_tokens", *loss.reads):
        if name in datum.inputs:
            _check_input(base, datum, name, f"{where}.loss_fn_inputs[{name!r}]")


def _check_input(base: BaseModel, datum: TrainingDatum, name: str, where: str) -> None:
    values, expected = datum.inputs[name], (len(datum.tokens),)
    if values.shape != expected:
        raise EngineInputError(
            f"has shape {values.shape}, expected {expected} to match model_input", where=where
        )
    if name == "target_tokens":
        check_tokens(base, values, where)
    elif not np.isfinite(values).all():
        raise EngineInputError("has a value that is not finite", where=where)


def check_tokens(base: BaseModel, tokens: npt.NDArray[Any], where: str) -> None:
    """Check a list (n,) of 1 to max_context token ids.

    Raises:
        EngineInputError: the shape, the length or a token id is invalid.
    """
    if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
        raise EngineInputError("must be a one-dimensional list of token ids", where=where)
    if not 1 <= len(tokens) <= base.max_context:
        raise EngineInputError(
            f"has {len(tokens)} tokens; {base.name} takes 1 to {base.max_context}", where=where
        )
    if tokens.min() < 0 or tokens.max() >= base.vocabulary:
        raise EngineInputError(f"has a token id outside 0 to {base.vocabulary - 1}", where=where)
