"""Which sequence number the next request of a model takes.

A server works through a model's requests by `seq_id`, from 1 and without gaps, so requests are
numbered as they are sent, and a number is used for one request alone:

======================================  ==================================================
what became of a request                its number
======================================  ==================================================
it was taken in (2xx)                   is used; also if the work fails later
it was refused by the server itself     is free: the next request takes it
a proxy answered in the server's place  counts as used: the request may have been passed on
no answer, or half of one               likewise
======================================  ==================================================

All attempts to send a request have its number, as they have one idempotency key.
"""

from __future__ import annotations

from tinker_ext.rules.retry import PROXY_STATUSES


def is_reusable(status: int | None) -> bool:
    """Whether the number of a request is free again after its last answer; None: there was none."""
    return status is not None and status >= 300 and status not in PROXY_STATUSES
