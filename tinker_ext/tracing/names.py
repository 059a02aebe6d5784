"""The allow-list of names in spans and metrics.

Attributes hold ids, counts, sizes and names, never headers, bodies, prompts or keys. Attributes
outside `ATTRIBUTES` are never set (`tests/unit/tracing/test_allow_list.py`).
`docs/observability.md` contains the same table.

Sources: the OpenTelemetry semantic conventions 1.37 for HTTP clients, GenAI clients and errors
(those for GenAI have since moved to a separate repository, with the same names). `tinker.*` is
specific to this project, because there is no convention for training.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from opentelemetry.util.types import AttributeValue

Attributes = Mapping[str, AttributeValue]

OPERATION = "tinker.operation"
SESSION_ID = "tinker.session.id"
MODEL_ID = "tinker.model.id"
REQUEST_ID = "tinker.request.id"
SEQ_ID = "tinker.seq_id"
DATUM_COUNT = "tinker.datum.count"
TOKEN_COUNT = "tinker.token.count"
CHUNK_COUNT = "tinker.chunk.count"
LOSS_FN = "tinker.loss_fn"
QUEUE_STATE = "tinker.queue.state"
QUEUE_REASON = "tinker.queue.reason"
ATTEMPT_COUNT = "tinker.attempt.count"
ATTEMPT = "tinker.attempt"
RETRY_DELAY = "tinker.retry.delay"
RETRY_REASON = "tinker.retry.reason"
STAGE = "tinker.stage"
STEP = "tinker.step"
TOKEN_USE = "tinker.token.use"
DIALECT = "tinker.dialect.release"

ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_STATUS = "http.response.status_code"
HTTP_RESEND_COUNT = "http.request.resend_count"
HTTP_REQUEST_SIZE = "http.request.body.size"
HTTP_RESPONSE_SIZE = "http.response.body.size"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
URL_FULL = "url.full"
URL_TEMPLATE = "url.template"
IO_DIRECTION = "network.io.direction"

GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_MODEL = "gen_ai.request.model"
GEN_AI_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_TEMPERATURE = "gen_ai.request.temperature"
GEN_AI_TOP_P = "gen_ai.request.top_p"
GEN_AI_TOP_K = "gen_ai.request.top_k"
GEN_AI_SEED = "gen_ai.request.seed"
GEN_AI_CHOICES = "gen_ai.request.choice.count"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"

#: The description of each attribute. No other attribute is set on a span, an event or a metric.
ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        OPERATION: "the operation's name in the API; not set on spans named after the operation",
        SESSION_ID: "the session's id",
        MODEL_ID: "the training model's id",
        REQUEST_ID: "the request ids assigned by the server, one per chunk",
        SEQ_ID: "the sequence numbers of these requests",
        DATUM_COUNT: "number of datums in the batch",
        TOKEN_COUNT: "number of tokens in the batch",
        CHUNK_COUNT: "number of requests the batch is split into",
        LOSS_FN: "the loss function's name",
        QUEUE_STATE: "the queue state reported by the server: active, paused_capacity, ...",
        QUEUE_REASON: "the server's reason for the state, up to 200 characters",
        ATTEMPT_COUNT: "HTTP requests needed to submit, if there were retries",
        ATTEMPT: "number of the failed attempt, from 1",
        RETRY_DELAY: "seconds until the next attempt",
        RETRY_REASON: "reason for the next attempt and for its delay",
        STAGE: "the stage of an operation: encode, server, pause, ...",
        STEP: "the number passed to `tinker_ext.step`",
        TOKEN_USE: "trained or sampled",
        DIALECT: "release of the official SDK whose protocol is used; only if traced in detail",
        ERROR_TYPE: "the error's class, or the HTTP status code",
        HTTP_METHOD: "GET, POST, PUT or DELETE",
        HTTP_STATUS: "status code of the response",
        HTTP_RESEND_COUNT: "number of previous attempts of this request",
        HTTP_REQUEST_SIZE: "size of the request body in bytes",
        HTTP_RESPONSE_SIZE: "size of the decompressed response body in bytes",
        SERVER_ADDRESS: "host of the server",
        SERVER_PORT: "port of the server",
        URL_FULL: "URL without the query",
        URL_TEMPLATE: "path of the URL if it has no id; on metrics only, because it names the span",
        IO_DIRECTION: "transmit or receive",
        GEN_AI_OPERATION: "text_completion",
        GEN_AI_PROVIDER: "tinker",
        GEN_AI_MODEL: "name of the base model, or path of the checkpoint",
        GEN_AI_MAX_TOKENS: "requested value",
        GEN_AI_TEMPERATURE: "requested value",
        GEN_AI_TOP_P: "requested value, unless 1",
        GEN_AI_TOP_K: "requested value, unless -1",
        GEN_AI_SEED: "requested value",
        GEN_AI_CHOICES: "number of requested samples, unless 1",
        GEN_AI_INPUT_TOKENS: "number of tokens in the prompt",
        GEN_AI_OUTPUT_TOKENS: "number of tokens in all samples",
        GEN_AI_FINISH_REASONS: "stop reason of each sample",
        GEN_AI_TOKEN_TYPE: "input or output",
    }
)
#: Maximum characters of a text from the server in an attribute.
MAX_TEXT = 200


class Stage(StrEnum):
    """The stages of an operation; the span of a stage is named `tinker.<stage>`."""

    ENCODE = "encode"  # validate and encode, on the caller's thread
    CONNECT = "connect"  # find or start the server, on first use
    TURN = "wait_turn"  # wait for an earlier request of the same model
    BUDGET = "wait_budget"  # wait for the client's limit of data in flight
    SUBMIT = "submit"  # until the server accepts the request; contains the attempts
    PAUSE = "pause"  # between attempts, or during a rate-limit pause
    SERVER = "server"  # from accepted to ready: queue and computation
    FETCH = "fetch"  # read the body of the result
    DECODE = "decode"  # parse the result and convert it to types
    REDUCE = "reduce"  # combine the results of several chunks
    CUSTOM_LOSS = "custom_loss"  # run a custom loss function
    WAIT = "wait"  # wait for the result, in the user's thread or coroutine


#: Stages that contain no requests, and the nanoseconds from which they are recorded.
SHORT_STAGES = frozenset(
    {Stage.ENCODE, Stage.TURN, Stage.BUDGET, Stage.FETCH, Stage.DECODE, Stage.REDUCE, Stage.WAIT}
)
SHORTEST_SPAN = 1_000_000

#: Names of span events.
RETRY_EVENT = "tinker.retry"
POLL_EVENT = "tinker.poll"
GAVE_UP_EVENT = "tinker.gave_up"

STEP_SPAN = "tinker.step"
TOKENIZER_SPAN = "tinker.load_tokenizer"


def span_name(name: str) -> str:
    """The span name of an operation or a stage."""
    return f"tinker.{name}"


STAGE_SPANS = {name: span_name(name) for name in Stage}
