"""The output of the demo: a live line, a table of samples, a plot of the loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

console = Console()


class Step(NamedTuple):
    """A training step: its loss in nats per trained token, and tokens per second."""

    number: int
    loss: float
    tokens_per_second: float


def live(steps: Iterable[Step], total: int) -> Iterator[Step]:
    """Yield the steps, and show the latest one in a single line."""
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=30),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[speed]} tokens/s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        line = progress.add_task("", total=total, loss="-", speed="-")
        for step in steps:
            loss, speed = f"{step.loss:.3f}", f"{step.tokens_per_second:,.0f}"
            progress.update(line, advance=1, loss=loss, speed=speed)
            yield step


def show_samples(
    title: str,
    examples: Sequence[Mapping[str, str]],
    before: Sequence[str],
    after: Sequence[str],
) -> None:
    """Completions of the same prompts before and after training; exact matches are green."""
    table = Table(title=title, title_justify="left", show_lines=True)
    for heading in ("Prompt", "Before", "After"):
        table.add_column(heading, overflow="fold")
    for example, old, new in zip(examples, before, after, strict=False):
        right = new.strip() == example["completion"].strip()
        style = "green" if right else "yellow"
        table.add_row(Text(example["prompt"]), Text(old.strip(), "dim"), Text(new.strip(), style))
    console.print(table)


def draw_curve(losses: Sequence[float], path: Path) -> None:
    """Plot the loss curve to a file."""
    import matplotlib as mpl

    mpl.use("Agg")  # needs no display
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(range(1, len(losses) + 1), losses)
    axes.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, None))
    axes.set_title(f"Loss from {losses[0]:.2f} to {losses[-1]:.2f} in {len(losses)} steps")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)
