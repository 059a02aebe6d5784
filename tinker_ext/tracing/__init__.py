"""Where the time goes: spans, metrics, recordings and the log, all names in one place.

`names` is the list of everything that may be said; `operations` are the user's calls and their
stages; `http` their attempts; `metrics` the instruments; `recording` writes spans to a file
without an SDK, and `summary` reads such a file. Only `opentelemetry-api` is used. Nothing of ours
is imported but the version.
"""

from tinker_ext.tracing import names
from tinker_ext.tracing.http import Attempt, attempt, trace_headers
from tinker_ext.tracing.logs import about_request, log, use_level
from tinker_ext.tracing.metrics import watch_heartbeat
from tinker_ext.tracing.names import (
    CHUNK_COUNT,
    DATUM_COUNT,
    LOSS_FN,
    MODEL_ID,
    QUEUE_STATE,
    REQUEST_ID,
    SAMPLE_COUNT,
    SEQ_ID,
    SESSION_ID,
    TOKEN_COUNT,
    Attributes,
    Stage,
)
from tinker_ext.tracing.operations import (
    Operation,
    annotate,
    begun_operation,
    decoding,
    no_operation,
    note_id,
    operation,
    operation_span,
    polled,
    retrying,
    stage,
    waiting,
)
from tinker_ext.tracing.recording import record_to, stop_recording
from tinker_ext.tracing.steps import step

__all__ = [
    "CHUNK_COUNT",
    "DATUM_COUNT",
    "LOSS_FN",
    "MODEL_ID",
    "QUEUE_STATE",
    "REQUEST_ID",
    "SAMPLE_COUNT",
    "SEQ_ID",
    "SESSION_ID",
    "TOKEN_COUNT",
    "Attempt",
    "Attributes",
    "Operation",
    "Stage",
    "about_request",
    "annotate",
    "attempt",
    "begun_operation",
    "decoding",
    "log",
    "names",
    "no_operation",
    "note_id",
    "operation",
    "operation_span",
    "polled",
    "record_to",
    "retrying",
    "stage",
    "step",
    "stop_recording",
    "trace_headers",
    "use_level",
    "waiting",
    "watch_heartbeat",
]
