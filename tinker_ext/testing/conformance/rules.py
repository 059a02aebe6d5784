"""The rules that a client is graded by, each with its level and its section in the guide."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

#: The document that explains the rules.
GUIDE = "docs/porting.md"


class Level(StrEnum):
    """How much depends on a rule."""

    #: Without it, work is lost or done twice, a call hangs, an error is hidden or a key leaks.
    MUST = "must"
    #: Without it, the client costs more time or requests than necessary.
    SHOULD = "should"


@frozen
class Rule:
    """A statement about a client, and the section of `GUIDE` that explains it."""

    id: str
    statement: str
    section: str
    level: Level = Level.MUST

    @property
    def reference(self) -> str:
        return f"{GUIDE}#{self.section}"


_SHOULD = Level.SHOULD

RULES = {
    rule.id: rule
    for rule in (
        Rule("headers.key", "Every request carries the API key.", "headers"),
        Rule(
            "headers.idempotency",
            "A request that changes something has an idempotency key, new for each call.",
            "headers",
        ),
        Rule("session.once", "One session is created, before the calls that need it.", "session"),
        Rule(
            "session.counters",
            "Models and sampling sessions are numbered from 0; saved weights without a name "
            "count as sampling sessions.",
            "session",
        ),
        Rule(
            "session.ended",
            "After a heartbeat gets status 410, calls fail and send nothing.",
            "session",
        ),
        Rule("session.closed", "After close, calls fail and send nothing.", "session"),
        Rule(
            "heartbeats.interval",
            "A heartbeat is sent ten seconds after the previous one was sent, however slow its "
            "response.",
            "heartbeats",
            _SHOULD,
        ),
        Rule("heartbeats.failure", "A failed heartbeat does not stop the next ones.", "heartbeats"),
        Rule(
            "order.sequence",
            "The requests of a model are sent in the order of the calls and numbered from 1, "
            "each after the response to the previous one.",
            "order",
        ),
        Rule("order.independent", "A call is submitted before earlier results arrive.", "order"),
        Rule("order.rejected", "The number of a rejected request is used again.", "order"),
        Rule(
            "order.lost",
            "A request whose response was lost is sent again with its number and body.",
            "order",
        ),
        Rule("attempts.status", "A submission is retried after status 503.", "attempts"),
        Rule("attempts.same", "All attempts have the same body and idempotency key.", "attempts"),
        Rule("attempts.client_error", "Status 400 is reported and not retried.", "attempts"),
        Rule("attempts.retry_after", "A retry waits for Retry-After in seconds.", "attempts"),
        Rule("attempts.retry_after_ms", "retry-after-ms has precedence.", "attempts"),
        Rule("attempts.stop", "x-should-retry: false prevents a retry of 503.", "attempts"),
        Rule("attempts.force", "x-should-retry: true causes a retry of 400.", "attempts"),
        Rule("attempts.billing", "A 402 is retried after a pause of seconds.", "attempts"),
        Rule(
            "attempts.shared_pause",
            "The Retry-After of a 429 delays all requests with the same key.",
            "attempts",
            _SHOULD,
        ),
        Rule(
            "attempts.proxy",
            "A page of a proxy instead of a response is retried, with status 502 and 200.",
            "attempts",
        ),
        Rule("polls.waiting", "try_again and status 408 are polled until the result.", "polls"),
        Rule(
            "polls.pause",
            "Polls to which the server responds at once are at least 40 ms apart.",
            "polls",
            _SHOULD,
        ),
        Rule(
            "polls.faults",
            "A poll that gets 503, no response or half of one is repeated; the request is not.",
            "polls",
        ),
        Rule("polls.limited", "A poll that gets 429 is repeated after Retry-After.", "polls"),
        Rule("polls.failed", "A failed operation is an error with the server's message.", "polls"),
        Rule("polls.refused", "A poll that gets 404 is an error and is not repeated.", "polls"),
        Rule("polls.expired", "A training result that gets 410 is an error.", "polls"),
        Rule("polls.size", "complete_metadata is followed by a poll for the result.", "polls"),
        Rule("batches.split", "A batch is split by the limits on datums.", "batches"),
        Rule(
            "batches.flags",
            "The server's fwdbwd_max_chunk_len replaces the client's limit.",
            "batches",
            _SHOULD,
        ),
        Rule("batches.outputs", "Outputs keep the order of the datums.", "batches"),
        Rule("batches.metrics", "Metrics are reduced as their names say.", "batches"),
        Rule("samples.numbers", "Samples are numbered from 0, each number once.", "samples"),
        Rule("samples.retried", "A sample that gets 429 is resent with its number.", "samples"),
        Rule("samples.expired", "A sample whose result is gone is submitted again.", "samples"),
        Rule(
            "samples.backpressure",
            "asample has the header X-Tinker-Sampling-Backpressure: 1.",
            "samples",
            _SHOULD,
        ),
        Rule("responses.unknown", "Unknown fields and values are accepted.", "responses"),
        Rule("responses.nan", "NaN and Infinity in metrics are accepted.", "responses"),
        Rule(
            "responses.training",
            "A result with fewer outputs than datums is an error.",
            "responses",
        ),
        Rule("responses.sample", "A result with fewer sequences is an error.", "responses"),
        Rule("requests.shape", "Weights of another length than the targets send nothing.", "input"),
        Rule("requests.finite", "A learning rate of NaN sends nothing.", "input"),
        Rule("requests.valid", "Every request is valid in the release's schema.", "requests"),
        Rule("requests.operations", "No operation that the release lacks is sent.", "requests"),
        Rule("secrets.errors", "No error message contains the API key.", "secrets"),
        Rule("secrets.log", "Nothing on standard error contains the API key.", "secrets"),
        Rule("secrets.redirect", "A redirect to another host never receives the key.", "secrets"),
        Rule("protobuf.request", "forward_backward is sent as protobuf.", "protobuf"),
        Rule("protobuf.forward", "forward is a forward_backward with forward_only.", "protobuf"),
        Rule("protobuf.result", "Protobuf results are accepted and decoded.", "protobuf"),
        Rule("credentials.exchange", "The key is exchanged for a token if flagged.", "credentials"),
        Rule("credentials.renewal", "A rejected token is renewed once, for all.", "credentials"),
        Rule(
            "completions.polled",
            "With sample_use_retrieve_futures, completions are polled for many samples at once.",
            "completions",
            _SHOULD,
        ),
        Rule(
            "completions.acknowledged",
            "Fetched samples are acknowledged by id, and the cursor advances.",
            "completions",
            _SHOULD,
        ),
        Rule(
            "cancellation.sent",
            "A cancelled sample is cancelled on a server that allows it.",
            "cancellation",
            _SHOULD,
        ),
        Rule("cancellation.local", "A cancelled sample ends its call.", "cancellation"),
    )
}
