"""The pure parts of `tinker_ext.recipes`: batches, schedules, retention."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import pytest

import tinker_ext as tinker
from tests.builders import datum
from tinker_ext import recipes
from tinker_ext.recipes import checkpoints, steps
from tinker_ext.recipes.checkpoints import expired, find_best


@pytest.mark.parametrize("module", [checkpoints, steps], ids=lambda m: m.__name__)
def test_examples_of_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


def test_batches_use_each_item_once_per_epoch_in_a_new_order() -> None:
    source = recipes.Batches(list(range(10)), size=5, seed=3)
    epochs = [source.at(0) + source.at(1), source.at(2) + source.at(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]
    assert source.steps_per_epoch == 2


def test_batch_of_a_step_does_not_depend_on_earlier_batches() -> None:
    first = recipes.Batches(list(range(7)), size=3)
    expected = [first.at(step) for step in range(20)]
    again = recipes.Batches(list(range(7)), size=3)
    assert [again.at(step) for step in (13, 2, 19)] == [expected[step] for step in (13, 2, 19)]
    assert recipes.Batches(list(range(7)), size=3, seed=1).at(0) != expected[0]


def test_batch_may_be_larger_than_the_data() -> None:
    assert recipes.Batches(["a", "b"], size=5, seed=None).at(0) == ["a", "b", "a", "b", "a"]


@pytest.mark.parametrize(
    ("data", "size", "where"),
    [
        ([], 1, "data"),
        (iter([1]), 1, "data"),
        ({0: 1}, 1, "data"),
        (None, 1, "data"),
        ([1], 0, "size"),
        ([1], "2", "size"),
    ],
)
def test_invalid_batches_are_rejected(data: Any, size: Any, where: str) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        recipes.Batches(data, size)
    assert caught.value.where == where


def test_schedule_warms_up_and_ends_at_the_end_value() -> None:
    rate = recipes.cosine(1.0, steps=10, warmup=4, end=0.1)
    values = [rate(step) for step in range(12)]
    assert values[:4] == [0.25, 0.5, 0.75, 1.0]
    assert values[4:10] == sorted(values[4:10], reverse=True)
    assert values[10:] == pytest.approx([0.1, 0.1])


def test_invalid_schedule_is_rejected() -> None:
    with pytest.raises(tinker.InvalidInputError, match="more steps than the warmup of 5"):
        recipes.linear(1.0, steps=5, warmup=5)
    with pytest.raises(tinker.InvalidInputError, match="warmup"):
        recipes.constant(1.0, warmup=-1)


def state(step: int, **metrics: float) -> recipes.SavedState:
    return recipes.SavedState(step, f"tinker://run/weights/{step}", metrics)


def test_retention_keeps_the_last_states_and_the_best() -> None:
    states = [state(1, loss=3), state(2, loss=1), state(3, loss=2), state(4, loss=2.5)]
    assert expired(states, 1, "loss") == [states[0], states[2]]
    assert expired(states, 2, None) == states[:2]
    assert expired(states, 2, "loss", "max") == [states[1]]
    assert expired(states, None, "loss") == []


def test_best_state_ignores_nan_and_missing_metrics() -> None:
    states = [state(1), state(2, loss=float("nan")), state(3, loss=2.0), state(4, loss=2.0)]
    assert find_best(states, "loss") == states[2]
    assert find_best(states[:2], "loss") is None
    assert find_best(states, None) is None


def test_checkpoints_of_another_run_are_rejected(tmp_path: Path) -> None:
    recipes.Checkpoints(tmp_path, {"base_model": "a"}).close()
    with pytest.raises(tinker.InvalidInputError, match="base_model is 'b' and was 'a'"):
        recipes.Checkpoints(tmp_path, {"base_model": "b"})
    recipes.Checkpoints(tmp_path, {"base_model": "a"}).close()


@pytest.mark.parametrize(
    "line",
    ['{"foo": 1}', '{"step": "1", "path": "tinker://a/weights/b"}', '{"step": 1, "path": 5}', "[]"],
)
def test_line_that_is_not_a_saved_state_is_named(tmp_path: Path, line: str) -> None:
    recipes.Checkpoints(tmp_path, {"base_model": "a"}).close()
    with (tmp_path / "checkpoints.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(tinker.InvalidInputError, match=r"checkpoints\.jsonl: line 2 is not"):
        recipes.Checkpoints(tmp_path, {"base_model": "a"})


def test_state_of_another_version_is_read(tmp_path: Path) -> None:
    recipes.Checkpoints(tmp_path, {"base_model": "a"}).close()
    record = {"step": 3, "path": "tinker://a/weights/b", "new": 1}
    with (tmp_path / "checkpoints.jsonl").open("a") as file:
        file.write(json.dumps({**record, "metrics": {"loss": 0.5, "note": "x"}}) + "\n")
    checkpoints = recipes.Checkpoints(tmp_path, {"base_model": "a"}, keep_best="loss")
    expected = recipes.SavedState(3, "tinker://a/weights/b", {"loss": 0.5})
    assert checkpoints.latest == checkpoints.best == expected
    checkpoints.close()


def test_invalid_retention_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(tinker.InvalidInputError, match="keep_last"):
        recipes.Checkpoints(tmp_path, {}, keep_last=0)
    with pytest.raises(tinker.InvalidInputError, match="'min' or 'max'"):
        recipes.Checkpoints(tmp_path, {}, best="low")  # type: ignore[arg-type]


def test_mean_loss_divides_by_the_sum_of_weights() -> None:
    output = tinker.ForwardBackwardOutput(
        loss_fn_output_type="x", loss_fn_outputs=[], metrics={"loss:sum": 6.0}
    )
    weighted = datum(target_tokens=[1, 2], weights=[0.5, 1.0])
    assert recipes.mean_loss([weighted, weighted], output) == 2.0
    assert recipes.mean_loss([datum(target_tokens=[1, 2])], output) == 3.0
    assert recipes.mean_loss([datum(target_tokens=[1, 2], weights=[0, 0])], output) == 0.0
