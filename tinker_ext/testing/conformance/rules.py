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
    level: Level

    @property
    def reference(self) -> str:
        return f"{GUIDE}#{self.section}"


# The rules by id, which starts with the section unless `_SECTIONS` names another.
_STATEMENTS = {
    "headers.key": "Every request carries the API key.",
    "headers.idempotency": "A request that changes something has an idempotency key, new for each "
    "call.",
    "session.once": "One session is created, before the calls that need it.",
    "session.counters": "Models and sampling sessions are numbered from 0; saved weights without a "
    "name count as sampling sessions.",
    "session.ended": "After a heartbeat gets status 410, calls fail and send nothing.",
    "session.closed": "After close, calls fail and send nothing.",
    "heartbeats.interval": "A heartbeat is sent ten seconds after the previous one was sent, "
    "however slow its response.",
    "heartbeats.failure": "A failed heartbeat does not stop the next ones.",
    "order.sequence": "The requests of a model are sent in the order of the calls and numbered "
    "from 1, each after the response to the previous one.",
    "order.independent": "A call is submitted before earlier results arrive.",
    "order.rejected": "The number of a rejected request is used again.",
    "order.lost": "A request whose response was lost is sent again with its number and body.",
    "attempts.status": "A submission is retried after status 503.",
    "attempts.same": "All attempts have the same body and idempotency key.",
    "attempts.client_error": "Status 400 is reported and not retried.",
    "attempts.retry_after": "A retry waits for Retry-After in seconds.",
    "attempts.retry_after_ms": "retry-after-ms has precedence.",
    "attempts.stop": "x-should-retry: false prevents a retry of 503.",
    "attempts.force": "x-should-retry: true causes a retry of 400.",
    "attempts.billing": "A 402 is retried after a pause of seconds.",
    "attempts.shared_pause": "The Retry-After of a 429 delays all requests with the same key.",
    "attempts.proxy": "A page of a proxy instead of a response is retried, with status 502 and "
    "200.",
    "polls.waiting": "try_again and status 408 are polled until the result.",
    "polls.pause": "Polls to which the server responds at once are at least 40 ms apart.",
    "polls.faults": "A poll that gets 503, no response or half of one is repeated; the request is "
    "not.",
    "polls.limited": "A poll that gets 429 is repeated after Retry-After.",
    "polls.failed": "A failed operation is an error with the server's message.",
    "polls.refused": "A poll that gets 404 is an error and is not repeated.",
    "polls.expired": "A training result that gets 410 is an error.",
    "polls.size": "complete_metadata is followed by a poll for the result.",
    "batches.split": "A batch is split by the limits on datums.",
    "batches.flags": "The server's fwdbwd_max_chunk_len replaces the client's limit.",
    "batches.outputs": "Outputs keep the order of the datums.",
    "batches.metrics": "Metrics are reduced as their names say.",
    "samples.numbers": "Samples are numbered from 0, each number once.",
    "samples.retried": "A sample that gets 429 is resent with its number.",
    "samples.expired": "A sample whose result is gone is submitted again.",
    "samples.backpressure": "asample has the header X-Tinker-Sampling-Backpressure: 1.",
    "responses.unknown": "Unknown fields and values are accepted.",
    "responses.nan": "NaN and Infinity in metrics are accepted.",
    "responses.training": "A result with fewer outputs than datums is an error.",
    "responses.sample": "A result with fewer sequences is an error.",
    "requests.shape": "Weights of another length than the targets send nothing.",
    "requests.finite": "A learning rate of NaN sends nothing.",
    "requests.valid": "Every request is valid in the release's schema.",
    "requests.operations": "No operation that the release lacks is sent.",
    "secrets.errors": "No error message contains the API key.",
    "secrets.log": "Nothing on standard error contains the API key.",
    "secrets.redirect": "A redirect to another host never receives the key.",
    "protobuf.request": "forward_backward is sent as protobuf.",
    "protobuf.forward": "forward is a forward_backward with forward_only.",
    "protobuf.result": "Protobuf results are accepted and decoded.",
    "credentials.exchange": "The key is exchanged for a token if flagged.",
    "credentials.renewal": "A rejected token is renewed once, for all.",
    "completions.polled": "With sample_use_retrieve_futures, completions are polled for many "
    "samples at once.",
    "completions.acknowledged": "Fetched samples are acknowledged by id, and the cursor advances.",
    "cancellation.sent": "A cancelled sample is cancelled on a server that allows it.",
    "cancellation.local": "A cancelled sample ends its call.",
}
_SECTIONS = {"requests.shape": "input", "requests.finite": "input"}
_SHOULD = {
    "heartbeats.interval",
    "attempts.shared_pause",
    "polls.pause",
    "batches.flags",
    "samples.backpressure",
    "completions.polled",
    "completions.acknowledged",
    "cancellation.sent",
}

RULES = {
    name: Rule(
        name,
        statement,
        _SECTIONS.get(name, name.partition(".")[0]),
        Level.SHOULD if name in _SHOULD else Level.MUST,
    )
    for name, statement in _STATEMENTS.items()
}
