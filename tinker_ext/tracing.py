"""OpenTelemetry spans and the names in them, and the package's logger: in one place.

Only `opentelemetry-api` is used: without an SDK a span is an object that does nothing. Attributes
are built from ids, counts and names; never from headers, bodies, prompts or keys.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.util.types import AttributeValue

log = logging.getLogger("tinker_ext")

SESSION_ID = "tinker.session.id"
MODEL_ID = "tinker.model.id"
REQUEST_ID = "tinker.request.id"
SEQ_ID = "tinker.seq_id"
DATUM_COUNT = "tinker.datum.count"
TOKEN_COUNT = "tinker.token.count"
SAMPLE_COUNT = "tinker.sample.count"
CHUNK_COUNT = "tinker.chunk.count"
LOSS_FN = "tinker.loss_fn"
QUEUE_STATE = "tinker.queue.state"
ERROR_TYPE = "error.type"

_tracer = trace.get_tracer("tinker_ext", __version__)


@contextmanager
def operation_span(operation: str, attributes: dict[str, AttributeValue]) -> Iterator[Span]:
    """The span of one user operation, `tinker.<operation>`; an error sets its status and type."""
    with _tracer.start_as_current_span(
        f"tinker.{operation}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute(ERROR_TYPE, type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
