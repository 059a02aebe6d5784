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
    """One sequence: token ids (n,), and the loss's inputs, (n,) or (n, K) for K targets each."""

    tokens: npt.NDArray[np.integer[Any]]
    inputs: Mapping[str, npt.NDArray[Any]]


@frozen(eq=False)
class Batch:
    """Datums of similar length, padded on the right with token 0 and input 0.

    `indices` are the datums' positions in the request, `lengths` their lengths without padding.
    `tokens` is (rows, time); `targets` and `inputs` are too, or (rows, time, K).
    """

    indices: list[int]
    lengths: list[int]
    tokens: Integers
    targets: Integers
    inputs: dict[str, Array]

    def split(self, values: Array) -> Iterator[tuple[int, Array]]:
        """Split values in the shape of the targets by datum, without padding."""
        for row, (index, length) in enumerate(zip(self.indices, self.lengths, strict=True)):
            yield index, values[row, :length].astype(np.float32)


def make_batches(base: BaseModel, data: Sequence[TrainingDatum], loss: Loss) -> list[Batch]:
    """Check all datums, then group those of similar length, in a fixed order.

    Raises:
        EngineInputError: a datum is invalid; the message names the first one and its field.
    """
    if not data:
        raise EngineInputError("expected at least one datum, got an empty list", where="data")
    for index, datum in enumerate(data):
        _check(base, datum, loss, f"data[{index}]")
    by_length = sorted(
        range(len(data)), key=lambda index: (_width(data[index]), len(data[index].tokens), index)
    )
    groups: list[list[int]] = [[]]
    for index in by_length:
        full = (len(groups[-1]) + 1) * len(data[index].tokens) > TOKENS_PER_BATCH
        if groups[-1] and (full or _width(data[groups[-1][0]]) != _width(data[index])):
            groups.append([])
        groups[-1].append(index)
    return [_pad(base, data, loss, group) for group in groups]


def _width(datum: TrainingDatum) -> tuple[int, ...]:
    """The number of targets per token: (K,), or () for one without an axis of its own."""
    return datum.inputs["target_tokens"].shape[1:]


def _pad(base: BaseModel, data: Sequence[TrainingDatum], loss: Loss, group: list[int]) -> Batch:
    lengths = [len(data[index].tokens) for index in group]
    size = (len(group), max(lengths))
    target_size = size + _width(data[group[0]])
    tokens, targets = np.zeros(size, np.int64), np.zeros(target_size, np.int64)
    inputs = {name: np.zeros(target_size, base.dtype) for name in loss.reads}
    for row, (index, length) in enumerate(zip(group, lengths, strict=True)):
        datum = data[index]
        tokens[row, :length] = datum.tokens
        targets[row, :length] = datum.inputs["target_tokens"]
        for name, padded in inputs.items():
            padded[row, :length] = datum.inputs.get(name, 1.0)
    return Batch(group, lengths, tokens, targets, inputs)


def _check(base: BaseModel, datum: TrainingDatum, loss: Loss, where: str) -> None:
    check_tokens(base, datum.tokens, f"{where}.model_input")
    unknown = sorted(set(datum.inputs) - set(INPUT_NAMES))
    if unknown:
        known = ", ".join(INPUT_NAMES)
        raise EngineInputError(f"unknown inputs {unknown}; known: {known}", where=where)
    for name in ("target_tokens", *loss.required):
        if name not in datum.inputs:
            raise EngineInputError(f"loss_fn_inputs has no {name!r}", where=where)
    targets = datum.inputs["target_tokens"]
    _check_targets(base, datum, loss, f"{where}.loss_fn_inputs['target_tokens']")
    for name in loss.reads:
        if name in datum.inputs:
            _check_input(datum.inputs[name], targets.shape, f"{where}.loss_fn_inputs[{name!r}]")


def _check_targets(base: BaseModel, datum: TrainingDatum, loss: Loss, where: str) -> None:
    targets, count = datum.inputs["target_tokens"], len(datum.tokens)
    several = loss.several_targets and targets.ndim == 2 and len(targets) == count
    if targets.shape != (count,) and not several:
        expected = f"({count},) or ({count}, K)" if loss.several_targets else f"({count},)"
        raise EngineInputError(
            f"has shape {targets.shape}, expected {expected} to match model_input", where=where
        )
    if several and not 1 <= targets.shape[1] <= base.vocabulary:
        raise EngineInputError(
            f"has {targets.shape[1]} targets per token, expected 1 to {base.vocabulary}",
            where=where,
        )
    check_ids(base, targets, where)


def _check_input(values: npt.NDArray[Any], expected: tuple[int, ...], where: str) -> None:
    if values.shape != expected:
        raise EngineInputError(
            f"has shape {values.shape}, expected {expected} to match target_tokens", where=where
        )
    if not np.isfinite(values).all():
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
    check_ids(base, tokens, where)


def check_ids(base: BaseModel, tokens: npt.NDArray[Any], where: str) -> None:
    """Check token ids of any shape.

    Raises:
        EngineInputError: they are not integers, or a token id is invalid.
    """
    if not np.issubdtype(tokens.dtype, np.integer):
        raise EngineInputError("must be token ids, which are integers", where=where)
    if tokens.min() < 0 or tokens.max() >= base.vocabulary:
        raise EngineInputError(f"has a token id outside 0 to {base.vocabulary - 1}", where=where)
