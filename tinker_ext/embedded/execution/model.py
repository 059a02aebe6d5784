"""One model in memory, and one request on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.embedded.execution.turns import SequenceQueue


@define(eq=False)
class Model:
    """One model: its trainer while it is loaded, and the line of work in front of it.

    `trainer` is touched on the training thread only. `unusable` says why there is none.
    """

    run_id: str
    turns: SequenceQueue[Work]
    trainer: Any = None
    unusable: str = ""
    last_used: float = 0.0
    runner: asyncio.Task[None] | None = None
    arrival: asyncio.Event = field(factory=asyncio.Event)


@frozen(eq=False)
class Work:
    """One request on a model. `size` is what it keeps in memory until it is done, in bytes."""

    request_id: str
    kind: str
    seq_id: int | None
    size: int
    act: Callable[[Model], object]
