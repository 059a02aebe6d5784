"""Sequence numbers: whether a rejected request frees its `seq_id`, and which one a server expects.

A server processes a model's requests in order of `seq_id`, from 1 and without gaps. Requests are
numbered in the order they are sent, and a number identifies a single request:

======================================  ==================================================
outcome of a request                    its number
======================================  ==================================================
accepted (2xx)                          used, even if the operation fails later
rejected by the server                  reusable: the next request takes it
rejected by a proxy                     used: the proxy may have forwarded the request
no response or an incomplete one        used, for the same reason
======================================  ==================================================

All attempts to send a request carry the same number and the same idempotency key.
"""

from __future__ import annotations

import re

from tinker_ext.rules.retry import PROXY_STATUSES

# Servers of release 0.25 report a number out of sequence in this form when the result is fetched;
# the operation has not run.
_CONFLICT = re.compile(r"sequence conflict: expected (\d{1,18}), got (\d{1,18})", re.IGNORECASE)


def is_reusable(status: int | None) -> bool:
    """Whether a request's number can be reused, given its last status code (None: no response)."""
    return status is not None and status >= 300 and status not in PROXY_STATUSES


def expected_seq_id(message: str) -> int | None:
    """The number the server expects, if `message` reports that ours is ahead of it; else None.

    The server keeps reporting this once it has missed a number: because it accepted a request and
    failed before counting it, or because the request was lost in transit.
    """
    match = _CONFLICT.search(message)
    if match is None:
        return None
    expected, got = int(match[1]), int(match[2])
    return expected if 0 < expected < got else None
