"""Answers that are kept elsewhere: the server only says where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from attrs import evolve

from tinker_ext.redaction.secret import remembered

if TYPE_CHECKING:
    from tinker_ext.transport.call import Call

# Characters; what is as long or longer in a signed address may be what signs it.
_SIGNATURE = 16


def redirect_target(asked: httpx.URL, answer: httpx.Response) -> httpx.URL | None:
    """Where a redirect leads; None for any other answer, and where it gives up encryption."""
    location = answer.headers.get("location")
    if not 300 <= answer.status_code < 400 or not location:
        return None
    try:
        place = asked.join(location)
    except httpx.InvalidURL:
        return None
    if place.scheme not in ("http", "https") or (asked.scheme, place.scheme) == ("https", "http"):
        return None
    return place


def unauthenticated_get(place: httpx.URL, timeout: Any) -> httpx.Request:
    """A request without our key: that belongs to the API, and the address is its own permission."""
    headers = {"Accept": "application/json"}
    return httpx.Request("GET", place, headers=headers, extensions={"timeout": timeout})


def with_url_secrets(call: Call, place: httpx.URL) -> Call:
    """The call with what signs the address among its secrets."""
    values = (value for value in place.params.values() if len(value) >= _SIGNATURE)
    return evolve(call, secrets=(*call.secrets, *remembered(values)))
