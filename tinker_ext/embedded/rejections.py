"""A request that is answered with an error status, and the one shape such answers have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class RejectedRequestError(Exception):
    """Answer with this status and ``{"detail": detail}``.

    `detail` is a sentence, or for a malformed request (422) a list with the place of each fault.
    """

    def __init__(
        self, status: int, detail: object, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
