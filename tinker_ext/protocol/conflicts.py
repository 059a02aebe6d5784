"""What a server says about sequence numbers when it refuses one."""

from __future__ import annotations

import re

# Servers of release 0.25 answer a request whose number is not the next one so, when its result is
# asked for; the request was not carried out.
_CONFLICT = re.compile(r"sequence conflict: expected (\d{1,18}), got (\d{1,18})", re.IGNORECASE)


def expected_seq_id(message: str) -> int | None:
    """The number a server waits for, where it says that ours is beyond it; else None.

    It says so for ever once it has not counted a request that we had: one that it took in and then
    failed without counting it, or one that was lost on the way.
    """
    found = _CONFLICT.search(message)
    if found is None:
        return None
    expected, got = int(found[1]), int(found[2])
    return expected if 0 < expected < got else None
