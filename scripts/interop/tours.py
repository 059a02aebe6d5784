"""The tour of each server with this client and with an official one, as a table."""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from interop.environments import python_of
from interop.servers import SERVERS, Running, running
from interop.session import drive_by
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interop.session import Run, Step

# SkyRL tx compiles the first step of each shape for up to a minute on a busy machine, and answers
# before its engine has started, which takes twice that.
STEP_SECONDS = 150
TOUR_SECONDS = 1200.0
NAMES = ("embedded", *SERVERS)
OFFICIAL = {"embedded": "0.4.1", **{name: server.official for name, server in SERVERS.items()}}

# A step that needs what an earlier one did not bring.
UNREACHED = re.compile(r"AttributeError: 'types\.SimpleNamespace'")


@frozen
class Column:
    """A client's tour of a server."""

    title: str
    run: Run


def tour(name: str) -> list[Column]:
    """Start the server and let both clients see it, this one first."""
    with _started(name) as server:
        settings = {
            "DRIVER_BASE_MODEL": server.model,
            "DRIVER_STEP_SECONDS": str(STEP_SECONDS),
        }
        release = OFFICIAL[name]
        clients = (
            ("tinker_ext", Path(sys.executable), "this client"),
            ("tinker", python_of(release), f"tinker {release}"),
        )
        return [
            Column(
                f"{name}: {title}",
                drive_by(
                    python, "tour", server.url, {**settings, "DRIVER_CLIENT": module}, TOUR_SECONDS
                ),
            )
            for module, python, title in clients
        ]


@contextmanager
def _started(name: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        if name == "embedded":
            with start_embedded(Path(folder)) as server:
                yield Running(server.url, "embedded/tiny")
        else:
            with running(SERVERS[name], Path(folder)) as started:
                yield started


def table(columns: Sequence[Column]) -> str:
    """A row per step; below it, what was said where something failed."""
    steps = list(dict.fromkeys(name for column in columns for name in column.run.steps))
    notes: dict[str, int] = {}
    lines = [
        f"| step | {' | '.join(column.title for column in columns)} |",
        f"|---{'|---' * len(columns)}|",
    ]
    for name in steps:
        cells = (_cell(column.run.steps.get(name), notes) for column in columns)
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. `{text}`" for text, number in notes.items())]
    return "\n".join(lines)


def _cell(step: Step | None, notes: dict[str, int]) -> str:
    if step is None or (step.error and UNREACHED.match(step.error)):
        return "not reached"
    if step.error is None:
        refused = isinstance(step.value, str) and step.value.startswith(("refused", "accepted"))
        return str(step.value) if refused else "yes"
    if step.error.startswith("hangs"):
        return "hangs"
    number = notes.setdefault(_said(step.error), len(notes) + 1)
    return f"no ({number})"


def _said(error: str) -> str:
    """The beginning of an error, without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", error.splitlines()[0])
    text = re.sub(r"(/[\w.-]+){3,}", "PATH", text)
    return re.sub(r"\d+\.\d+ s", "N s", text).replace("`", "'").replace("|", "/")[:200]
