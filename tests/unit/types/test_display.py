"""Reprs fit a screen, and results are tables in notebooks."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

from tinker_ext import types
from tinker_ext.types.display import SHOWN_ROWS, abbreviated, table

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Cells(HTMLParser):
    """Collects the cells of a table by row; fails on unbalanced tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.caption = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


def test_abbreviated_list_has_three_items_and_the_last() -> None:
    assert abbreviated([1, 2, 3, 4]) == "[1, 2, 3, 4]"
    assert abbreviated([1, 2, 3, 4, 5]) == "[1, 2, 3, ..., 5]"
    assert abbreviated([[1] * 9, None]) == "[[1, 1, 1, ..., 1], None]"


def test_repr_of_sample_fits_a_screen() -> None:
    top: list[list[tuple[int, float]] | None] = [[(1, -0.5)] * 20] * 4096
    sequence = types.SampledSequence("stop", list(range(4096)), [-0.125] * 4096, top)
    response = types.SampleResponse([sequence] * 64, prompt_logprobs=[None, *[-1.0] * 999])
    assert len(repr(response)) < 2000
    assert repr(types.SampledSequence("stop", list(range(32)), [-0.125] * 32)) == (
        "SampledSequence(stop_reason='stop', tokens=[0, 1, 2, ..., 31], "
        "logprobs=[-0.125, -0.125, -0.125, ..., -0.125])"
    )


def test_repr_of_lists_fits_a_screen() -> None:
    tensor = types.TensorData([0.5] * 1000, dtype="float32")
    output = types.ForwardBackwardOutput("logprobs", [{"logprobs": tensor}] * 128)
    checkpoint = types.Checkpoint("weights/a", "training", NOW, "tinker://run/weights/a")
    run = types.TrainingRun("run", "model", "me", True, NOW, last_checkpoint=checkpoint)
    cursor = types.Cursor(0, 20, 20)
    for value in (
        output,
        types.CheckpointsListResponse([checkpoint] * 100),
        types.TrainingRunsResponse([run] * 100, cursor),
        types.ListSessionsResponse(["session"] * 100),
    ):
        assert len(repr(value)) < 3000
        assert ", ..., " in repr(value)


def test_checkpoints_are_a_table() -> None:
    checkpoint = types.Checkpoint(
        "weights/a", "training", NOW, "tinker://run/weights/<a>", size_bytes=5
    )
    cells = Cells(types.CheckpointsListResponse([checkpoint])._repr_html_())
    assert cells.rows == [
        ["path", "type", "time", "bytes"],
        ["tinker://run/weights/<a>", "training", "2026-01-02 03:04", "5"],
    ]


def test_training_runs_are_a_table() -> None:
    checkpoint = types.Checkpoint("weights/a", "training", NOW, "tinker://run/weights/a")
    run = types.TrainingRun("run", "model", "me", True, NOW, True, 8, checkpoint)
    cells = Cells(types.TrainingRunsResponse([run], types.Cursor(0, 1, 1))._repr_html_())
    assert cells.rows[1] == [
        *("run", "model", "8", "2026-01-02 03:04", "tinker://run/weights/a", "yes")
    ]


def test_sample_is_a_table_with_one_row_per_sequence() -> None:
    sequences = [types.SampledSequence("stop", [1, 2], [-0.5, -1.0])] * 3
    cells = Cells(types.SampleResponse(sequences)._repr_html_())
    assert cells.rows[0] == ["sequence", "tokens", "stop_reason", "mean logprob", "token ids"]
    assert cells.rows[3] == ["2", "2", "stop", "-0.75", "[1, 2]"]


def test_metrics_are_a_table() -> None:
    output = types.ForwardBackwardOutput("logprobs", [{}, {}], {"loss:sum": 1.5})
    cells = Cells(output._repr_html_())
    assert cells.rows == [["metric", "value"], ["loss:sum", "1.5"]]
    assert cells.caption == "Outputs of 2 datums."
    assert Cells(types.OptimStepResponse()._repr_html_()).rows == [[]]


def test_long_table_says_what_is_missing() -> None:
    cells = Cells(table({"row": str(row)} for row in range(SHOWN_ROWS + 1)))
    assert len(cells.rows) == SHOWN_ROWS + 1
    assert cells.caption == f"The first {SHOWN_ROWS} of {SHOWN_ROWS + 1} rows."
