"""Spans, metrics, recordings and the log.

`names` lists every name that may be emitted. `operations` traces the user's calls and their stages,
`conventions` their HTTP requests. `metrics` holds the instruments. `spans` starts spans, and writes
them to a recording without an SDK; `trace_report` reads such a file. Needs only
`opentelemetry-api`, and imports nothing of this package except the version, `redaction` and
`private_files`.
"""

from __future__ import annotations

from pathlib import Path

from tinker_ext.tracing import names
from tinker_ext.tracing.conventions import (
    attempt,
    model_attributes,
    record_usage,
    sample_attributes,
)
from tinker_ext.tracing.logs import log, log_request_id, use_level
from tinker_ext.tracing.metrics import watch_heartbeat
from tinker_ext.tracing.names import (
    CHUNK_COUNT,
    DATUM_COUNT,
    DIALECT,
    LOSS_FN,
    MODEL_ID,
    REQUEST_ID,
    RETRY_REASON,
    SEQ_ID,
    TOKEN_COUNT,
    Attributes,
    Stage,
)
from tinker_ext.tracing.operations import (
    Operation,
    current_operation,
    decoding,
    detail_bucket,
    fetching,
    gave_up,
    observed_operation,
    on_server,
    operation,
    polled,
    retrying,
    stage,
    submitting,
    trace_headers,
    waiting,
)
from tinker_ext.tracing.spans import loading_tokenizer, record_to, recorder, step, stop_recording

__all__ = [
    "CHUNK_COUNT",
    "DATUM_COUNT",
    "DIALECT",
    "LOSS_FN",
    "MODEL_ID",
    "REQUEST_ID",
    "RETRY_REASON",
    "SEQ_ID",
    "TOKEN_COUNT",
    "Attributes",
    "Operation",
    "Stage",
    "attempt",
    "current_operation",
    "decoding",
    "fetching",
    "gave_up",
    "loading_tokenizer",
    "log",
    "log_request_id",
    "model_attributes",
    "names",
    "observed_operation",
    "on_server",
    "operation",
    "polled",
    "record_to",
    "record_usage",
    "recorder",
    "retrying",
    "sample_attributes",
    "set_up",
    "stage",
    "step",
    "stop_recording",
    "submitting",
    "trace_headers",
    "use_level",
    "waiting",
    "watch_heartbeat",
]


def set_up(trace_file: Path | None, trace_detail: float, log_level: str | None) -> None:
    """Apply a client's configuration of recording, tracing and logging to the whole process.

    Raises:
        OSError: the recording can't be written.
    """
    use_level(log_level)
    detail_bucket.set_rate(trace_detail)
    if trace_file is not None:
        record_to(trace_file)
