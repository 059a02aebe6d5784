"""What an answer to `retrieve_futures` tells, and when the question is put aside.

One question about a sampling session tells which of its requests have ended; each result is then
fetched by itself. Whoever can't be told so asks for its own request, as where servers have none of
this: nothing is lost with the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.redaction.redactor import LONGEST_ID
from tinker_ext.rules.polling import MAX_TOLERATED

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Numbers of the samples of one client of a sampling session begin at a multiple of this (0.38.0).
SEQ_IDS_PER_CLIENT = 1_000_000_000
#: The largest integer that every reader of JSON keeps (RFC 8259, section 6).
_MOST = 2**53 - 1


@frozen
class CompletedRequests:
    """Requests that have ended, with the bytes of their results where these are known.

    How they ended is not read: the result says that, and better. `cursor` is what the next
    question begins at.
    """

    sizes: Mapping[str, int | None]
    cursor: int


def parse_completed_requests(body: object) -> CompletedRequests | None:
    """What the answer tells; None where it is none. Entries without an id are passed over."""
    if not isinstance(body, dict):
        return None
    cursor, listed = _whole(body.get("cursor")), body.get("completions") or []
    if cursor is None or not isinstance(listed, list):
        return None
    sizes: dict[str, int | None] = {}
    for one in listed:
        request_id = _id(one.get("request_id")) if isinstance(one, dict) else None
        if request_id is not None:
            size = _whole(one.get("response_payload_uncompressed_size"))
            sizes[request_id] = None if size is None else max(size, 0)
    return CompletedRequests(sizes, cursor)


def is_tolerated(status: int | None, consecutive: int) -> bool:
    """Whether a refusal is put down to something between, a few times (0.38.0: a 400, thrice).

    `consecutive` counts such refusals, this one included.
    """
    return status == 400 and consecutive <= MAX_TOLERATED


def first_seq_id(counter: object) -> int | None:
    """The first number for samples of the client that a server counts as `counter`.

    The client that opened the sampling session is 0. None for what can't be another's.
    """
    place = _whole(counter)
    if place is None or not 0 < place < _MOST // SEQ_IDS_PER_CLIENT:
        return None
    return place * SEQ_IDS_PER_CLIENT


def _id(value: object) -> str | None:
    """The id of a request, a number on some servers; None for an id that is never sent."""
    text = str(value) if isinstance(value, str) or _whole(value) is not None else None
    return None if text is None or len(text) > LONGEST_ID else text


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
