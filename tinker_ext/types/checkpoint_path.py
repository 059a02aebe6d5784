"""The parts of a checkpoint's `tinker://` path.

Not in `types.responses`, which is imported for the first response: requests need them before.
"""

from __future__ import annotations

from typing import Literal

SCHEME = "tinker://"
#: Checkpoint types by the second segment of a path. Some servers write ``checkpoints`` instead of
#: ``weights``, or omit the segment.
TYPE_BY_SEGMENT: dict[str, Literal["training", "sampler", "external"]] = {
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
    "checkpoints": "training",
}
#: Not allowed as names: URL normalization removes them (RFC 3986, 5.2.4), so the request would
#: address another resource.
DOT_SEGMENTS = frozenset({".", ".."})
