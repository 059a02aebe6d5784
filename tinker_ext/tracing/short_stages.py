"""Stages in which nothing else happens, told only when they took a millisecond.

A span costs a tenth of one, and a sample would have ten of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.operations import Operation, as_current

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.context import Context

    from tinker_ext.tracing.names import Stage


class ShortStage:
    """A stage in which nothing else happens: a span if it takes long, and only when it is over."""

    __slots__ = ("_began", "_name", "_of")

    def __init__(self, of: Operation, name: Stage) -> None:
        self._of = of
        self._name = name

    def __enter__(self) -> None:
        self._began = spans.now()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        took = spans.now() - self._began
        if took < names.SHORTEST_SPAN:
            return
        if self._of.detailed:
            name = names.STAGE_SPANS[self._name]
            span = spans.start(name, {}, parent=self._parent(), start_time=self._began)
            if error is not None:
                spans.fail(span, error)
            span.end()
        if self._of.measured:
            metrics.stage_ended(self._of.name, self._name, took / 1e9)

    def _parent(self) -> Context | None:
        """Where its span belongs; None is below the current one."""
        return None


class CallerStage(ShortStage):
    """One on the thread of whoever has the future, where the operation is no longer current."""

    __slots__ = ()

    def _parent(self) -> Context | None:
        return spans.below(self._of.span)


class Decoding(CallerStage):
    """The owner's thread makes the result, and for so long works for the operation."""

    __slots__ = ("_current",)

    def __enter__(self) -> None:
        self._current = as_current(self._of)
        self._current.__enter__()
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        self._current.__exit__()
