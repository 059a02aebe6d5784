"""Combined outputs of chunks equal the output of the batch."""

from __future__ import annotations

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.rules.chunking import split
from tinker_ext.rules.outputs import combine_outputs


@frozen
class Output:
    loss_fn_output_type: str | None
    loss_fn_outputs: list[int]
    metrics: dict[str, float]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 7), st.integers(1, 30))
def test_outputs_of_split_batch_are_combined(
    losses: list[int], max_items: int, max_size: int
) -> None:
    runs = split(losses, max_items=max_items, max_size=max_size)
    parts = [
        Output(
            "Loss",
            [losses[index] for index in run],
            {
                "loss:sum": float(sum(losses[index] for index in run)),
                "loss:mean": sum(losses[index] for index in run) / len(run),
            },
        )
        for run in runs
    ]
    combined = combine_outputs(parts)
    assert combined.loss_fn_output_type == "Loss"
    assert combined.loss_fn_outputs == losses
    assert combined.metrics["loss:sum"] == sum(losses)
    assert combined.metrics["loss:mean"] == pytest.approx(sum(losses) / len(losses))


def test_datum_counts_of_other_length_raise() -> None:
    with pytest.raises(ValueError, match="zip"):
        combine_outputs([Output("Loss", [1], {})], datum_counts=[1, 2])
