"""The meaning of a `retrieve_futures` response, and the sequence numbers of joining clients.

A single call reports which requests of a sampling session are completed; each result is then
fetched separately. If the call is unavailable or fails, each request is polled by itself, as on
servers without `retrieve_futures`.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from tinker_ext.redaction.redactor import LONGEST_ID
from tinker_ext.rules.polling import MAX_TOLERATED

#: Each client of a sampling session numbers its samples from a multiple of this (0.38.0).
SEQ_IDS_PER_CLIENT = 1_000_000_000
#: The largest integer that JSON parsers agree on (RFC 8259, section 6).
_MAX_INTEGER = 2**53 - 1


@frozen
class CompletedRequests:
    """Completed requests: the sizes of their results in bytes by request id, None if unknown.

    Whether a request failed is not read here; its result reports that in detail. The next call
    starts at `cursor`.
    """

    sizes: Mapping[str, int | None]
    cursor: int


def parse_completed_requests(body: object) -> CompletedRequests | None:
    """Parses a response; None if it is malformed. Entries without an id are ignored."""
    if not isinstance(body, dict):
        return None
    cursor, entries = _integer(body.get("cursor")), body.get("completions") or []
    if cursor is None or not isinstance(entries, list):
        return None
    sizes: dict[str, int | None] = {}
    for entry in entries:
        request_id = _request_id(entry.get("request_id")) if isinstance(entry, dict) else None
        if request_id is not None:
            size = _integer(entry.get("response_payload_uncompressed_size"))
            sizes[request_id] = None if size is None else max(size, 0)
    return CompletedRequests(sizes, cursor)


def is_tolerated(status: int | None, consecutive: int) -> bool:
    """Whether an error is tolerated as a proxy's doing (0.38.0: up to three 400s).

    `consecutive` is the number of consecutive errors of this kind, including this one.
    """
    return status == 400 and consecutive <= MAX_TOLERATED


def first_seq_id(counter: object) -> int | None:
    """The first sequence number of a client that joins a sampling session as number `counter`.

    The client that created the session has number 0. None if `counter` is not valid for another.
    """
    index = _integer(counter)
    if index is None or not 0 < index < _MAX_INTEGER // SEQ_IDS_PER_CLIENT:
        return None
    return index * SEQ_IDS_PER_CLIENT


def _request_id(value: object) -> str | None:
    """Returns a request id as text, since some servers send a number; None if it is invalid."""
    text = str(value) if isinstance(value, str) or _integer(value) is not None else None
    return None if text is None or len(text) > LONGEST_ID else text


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
