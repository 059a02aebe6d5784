"""Every name that appears in a span or a metric: the allow-list.

Attributes hold ids, counts, sizes and names of things; never headers, bodies, prompts or keys.
What is not in `ATTRIBUTES` is not set anywhere (`tests/unit/tracing/test_allow_list.py`), and
`docs/observability.md` shows the same table.

Sources: the OpenTelemetry semantic conventions 1.37 for HTTP clients, GenAI clients and errors
(those for GenAI have since moved to a repository of their own, under the same names);
`tinker.*` is ours, because there is no convention for training.
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

#: What each attribute says. Nothing else is ever set on a span, an event or a metric.
ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        OPERATION: "the operation, as the API calls it; not on spans that have it in their name",
        SESSION_ID: "the session's id",
        MODEL_ID: "the id of the model in training",
        REQUEST_ID: "the ids the server gave the operation's requests, one for each chunk",
        SEQ_ID: "the sequence numbers the client gave them",
        DATUM_COUNT: "datums in the batch",
        TOKEN_COUNT: "tokens in it",
        CHUNK_COUNT: "requests the batch was split into",
        LOSS_FN: "the loss function's name",
        QUEUE_STATE: "what the server said of the queue: active, paused_capacity, ...",
        QUEUE_REASON: "why, in the server's words: at most 200 characters",
        ATTEMPT_COUNT: "HTTP requests it took to submit, where there were retries",
        ATTEMPT: "which attempt failed, from 1",
        RETRY_DELAY: "seconds until the next attempt",
        RETRY_REASON: "why there is another attempt, and why then",
        STAGE: "the stage of an operation: encode, server, pause, ...",
        STEP: "the number given to tinker.step",
        TOKEN_USE: "trained or sampled",
        DIALECT: "the official SDK's release that the server was spoken to like; only in detail",
        ERROR_TYPE: "the class of the error, or the HTTP status",
        HTTP_METHOD: "GET, POST, PUT or DELETE",
        HTTP_STATUS: "the answer's status",
        HTTP_RESEND_COUNT: "how many attempts of this request came before",
        HTTP_REQUEST_SIZE: "bytes of the request's body",
        HTTP_RESPONSE_SIZE: "bytes of the answer's body, decompressed",
        SERVER_ADDRESS: "the server's host",
        SERVER_PORT: "and port",
        URL_FULL: "the URL without its query",
        URL_TEMPLATE: "its path, where there is no id in it; a span has it in its name",
        IO_DIRECTION: "transmit or receive",
        GEN_AI_OPERATION: "text_completion",
        GEN_AI_PROVIDER: "tinker",
        GEN_AI_MODEL: "the base model's name, or the checkpoint's path",
        GEN_AI_MAX_TOKENS: "as asked for",
        GEN_AI_TEMPERATURE: "as asked for",
        GEN_AI_TOP_P: "as asked for, where it is not 1",
        GEN_AI_TOP_K: "as asked for, where it is not -1",
        GEN_AI_SEED: "as asked for",
        GEN_AI_CHOICES: "samples asked for, where it is not 1",
        GEN_AI_INPUT_TOKENS: "tokens of the prompt",
        GEN_AI_OUTPUT_TOKENS: "tokens of all samples",
        GEN_AI_FINISH_REASONS: "why each sample ended",
        GEN_AI_TOKEN_TYPE: "input or output",
    }
)
#: Characters of a text from the server that an attribute keeps.
LONGEST_TEXT = 200


class Stage(StrEnum):
    """Where the time of an operation can go; the span of a stage is `tinker.<stage>`."""

    ENCODE = "encode"  # the caller's thread: validate and encode
    CONNECT = "connect"  # first use: find or start the server
    TURN = "wait_turn"  # behind an earlier request of the same model
    BUDGET = "wait_budget"  # the client's own bound on what is in flight
    SUBMIT = "submit"  # until the server has accepted the request; its attempts are below it
    PAUSE = "pause"  # between attempts, or because the server told everybody to wait
    SERVER = "server"  # from accepted to ready: the server's queue and its work
    FETCH = "fetch"  # the result's bytes
    DECODE = "decode"  # the result's JSON, then its types
    REDUCE = "reduce"  # the results of several chunks made one
    CUSTOM_LOSS = "custom_loss"  # a loss function of the user's own
    WAIT = "wait"  # the user's thread or coroutine waits for the result


#: Stages in which nothing else happens, and the nanoseconds from which on they are spans.
SHORT_STAGES = frozenset(
    {Stage.ENCODE, Stage.TURN, Stage.BUDGET, Stage.FETCH, Stage.DECODE, Stage.REDUCE, Stage.WAIT}
)
SHORTEST_SPAN = 1_000_000

#: Names of events on spans.
RETRY_EVENT = "tinker.retry"
POLL_EVENT = "tinker.poll"
GAVE_UP_EVENT = "tinker.gave_up"

STEP_SPAN = "tinker.step"


def span_name(name: str) -> str:
    """The name of the span of an operation or a stage."""
    return f"tinker.{name}"


STAGE_SPANS = {name: span_name(name) for name in Stage}
