"""`tinker.step`: one span around all that a training step does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace

from tinker_ext.tracing import names, spans

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def step(number: int) -> Iterator[None]:
    """Group what happens in the block as training step `number`, in traces and recordings.

    Calls made in the block, also from coroutines started in it, are its children; the block's
    own time beside them is the user's. Without an SDK or a recording it does nothing.

    Example:
        >>> for i, batch in enumerate(batches):
        ...     with tinker_ext.step(i):
        ...         training.forward_backward(batch, "cross_entropy").result()
        ...         training.optim_step(params).result()
    """
    span = spans.start(names.STEP_SPAN, {names.STEP: number})
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except Exception as error:
            spans.fail(span, error)
            raise
