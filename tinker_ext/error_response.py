"""The response of an error in the form that programs for the official SDK read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import field, frozen


@frozen
class ErrorResponse:
    """What an error knows of its response, with the names of `httpx.Response`.

    The headers and the body are those of the error: an allowlist, and redacted.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: object = field(repr=False)

    @property
    def reason_phrase(self) -> str:
        """The standard phrase of the status code; empty for an unknown one."""
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def text(self) -> str:
        """The body as text."""
        if self.body is None:
            return ""
        return self.body if isinstance(self.body, str) else json.dumps(self.body)

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.text.encode()

    def json(self) -> Any:
        """The body as parsed JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.text) if isinstance(self.body, str | None) else self.body

    @property
    def is_success(self) -> bool:
        """Whether the status code is 2xx."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_error(self) -> bool:
        """Whether the status code is 4xx or 5xx."""
        return self.status_code >= HTTPStatus.BAD_REQUEST
