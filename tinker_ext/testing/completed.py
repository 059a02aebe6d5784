"""Which samples have ended, as `retrieve_futures` tells it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Numbers of each client of a sampling session begin at a multiple of this (release 0.38.0).
_RANGE = 1_000_000_000


class CompletedRequests:
    """The samples of each client of each sampling session, in the order in which they came."""

    def __init__(self) -> None:
        self._listed: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        self._clients: Counter[str] = Counter()

    def joined(self, body: Mapping[str, Any]) -> int:
        """The number of one more client of a sampling session."""
        session_id = body["sampling_session_id"]
        self._clients[session_id] += 1
        return self._clients[session_id]

    def note(self, body: Mapping[str, Any], request_id: str) -> None:
        """A sample has ended."""
        number = body.get("seq_id")
        if number is not None:
            self._listed[str(body.get("sampling_session_id")), number // _RANGE].append(request_id)

    def since(self, body: Mapping[str, Any]) -> Any:
        """What has ended since the cursor that the question names."""
        target, cursor = body["target"], body.get("prev_cursor", 0)
        listed = self._listed[target["sampling_session_id"], target.get("cloned_sampler_id", 0)]
        told = [{"state": "finished", "request_id": one} for one in listed[cursor:]]
        return {"completions": told, "cursor": len(listed)}
