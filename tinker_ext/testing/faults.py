"""Faults between a client and a server, for `FaultServer.respond`.

A fault of the response means that the server has processed the request: the request counts, and
only its response is lost. With `lost_request()`, the server has processed nothing.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from attrs import field, frozen

from tinker_ext.testing.messages import Reply

PROXY_PAGE = (
    "<!DOCTYPE html><html><head><title>{status} Bad Gateway</title></head>"
    "<body><center><h1>{status} Bad Gateway</h1></center><hr>nginx</body></html>"
)


@frozen(kw_only=True)
class Fault:
    """A fault in the transmission of a response.

    Attributes:
        reply: replaces the default reply.
        alter: changes the JSON of the default reply.
        works: whether the server processes the request first.
        cut: the fraction of the response, with its headers, that is sent, from 0 to 1.
        cut_body: the same for the body only.
        ending: whether the connection stays open, is closed or is reset afterwards.
        delay: seconds before anything is sent.
        piece: bytes sent at a time; 0 sends all at once.
        interval: seconds between pieces; negative to never respond.
        stream: chunks of a body of unknown length that replaces that of the reply.
        raw: bytes sent in place of a response.
        stop_listening: refuse connections from now on, until `FaultServer.listen`.
        headers: added to those of the reply, encoded as UTF-8.
        surplus: bytes sent directly after the response.
    """

    reply: Reply | None = None
    alter: Callable[[Any], Any] | None = None
    works: bool = True
    cut: float = 1.0
    cut_body: float = 1.0
    ending: Literal["stay", "close", "reset"] = "stay"
    delay: float = 0.0
    piece: int = 0
    interval: float = 0.0
    stream: Callable[[], Iterator[bytes]] | None = None
    raw: bytes | None = None
    stop_listening: bool = False
    headers: dict[str, str] = field(factory=dict)
    surplus: bytes = b""


def lost_request() -> Fault:
    """Close the connection before the server has processed the request."""
    return Fault(works=False, cut=0.0, ending="close")


def dropped() -> Fault:
    """Close the connection after processing, without a response."""
    return Fault(cut=0.0, ending="close")


def half_sent() -> Fault:
    """Send the headers and half of the body, then close the connection."""
    return Fault(cut_body=0.5, ending="close")


def reset() -> Fault:
    """Reset the connection in the middle of the response."""
    return Fault(cut_body=0.5, ending="reset")


def delayed(seconds: float) -> Fault:
    """Delay the default reply."""
    return Fault(delay=seconds)


def trickled(piece: int = 7, interval: float = 0.001) -> Fault:
    """Send the complete response, a few bytes at a time."""
    return Fault(piece=piece, interval=interval)


def endless(interval: float = 0.01) -> Fault:
    """Send a body that never ends."""

    def spaces() -> Iterator[bytes]:
        while True:
            yield b" "

    return Fault(stream=spaces, interval=interval)


def silent() -> Fault:
    """Accept the request and never respond."""
    return Fault(cut=0.0, ending="stay", interval=-1.0)


def huge(size: int) -> Fault:
    """Send a JSON body of `size` bytes."""

    def parts() -> Iterator[bytes]:
        yield b'{"padding": "'
        block = b"x" * 65536
        for _ in range(size // len(block)):
            yield block
        yield b'"}'

    return Fault(stream=parts)


def bomb(size: int) -> Fault:
    """Send a gzip body that decompresses to `size` spaces."""
    compressed = gzip.compress(b" " * size, 9)
    return Fault(reply=Reply(200, compressed, {"content-encoding": "gzip", **_JSON}))


def proxy_page(status: int = 502) -> Fault:
    """Send the HTML page of a proxy, or with status 200 that of a captive portal."""
    page = PROXY_PAGE.format(status=status)
    return Fault(reply=Reply(status, page, {"content-type": "text/html"}), works=status < 500)


def truncated_json() -> Fault:
    """Send half of a JSON document as a complete HTTP body."""
    return Fault(alter=lambda body: _Text(json.dumps(body)[: len(json.dumps(body)) // 2]))


def invalid_json() -> Fault:
    """Send a body that is a Python literal, not JSON."""
    return Fault(alter=lambda body: _Text("{'single': quotes}"))


def wrong_content_type() -> Fault:
    """Send the correct body with the content type of text."""
    return Fault(headers={"content-type": "text/plain"})


def not_a_number() -> Fault:
    """Send NaN and Infinity in metrics, as Python servers encode them."""

    def alter(body: Any) -> Any:
        if isinstance(body, dict):
            numbers = {"a:mean": float("nan"), "b:max": float("inf")}
            body = {**body, "metrics": {**(body.get("metrics") or {}), **numbers}}
        return _Text(json.dumps(body))

    return Fault(alter=alter)


def unknown_fields() -> Fault:
    """Add unknown fields at every level."""
    return Fault(alter=_extend)


def unknown_values() -> Fault:
    """Replace types, states and reasons by unknown values."""
    return Fault(alter=lambda body: _replace(body, _UNKNOWN_VALUES))


def other_counts() -> Fault:
    """Send one sequence or output more than requested."""
    return Fault(alter=_repeat_first)


def wrong_values() -> Fault:
    """Send null tokens, and tensors whose shape does not match their data."""
    return Fault(alter=lambda body: _replace(body, {"tokens": [None], "shape": [7]}))


def another_shape() -> Fault:
    """Send a JSON document of a different type."""
    return Fault(alter=lambda body: [1, 2, 3])


def redirect(location: str, status: int = 307) -> Fault:
    """Redirect without processing the request."""
    return Fault(reply=Reply(status, None, {"location": location}), works=False)


def not_http() -> Fault:
    """Send bytes of a protocol other than HTTP."""
    return Fault(raw=b"SSH-2.0-OpenSSH_9.6\r\n", ending="close")


def not_ascii_headers() -> Fault:
    """Send non-ASCII headers, as some proxies do."""
    return Fault(headers={"x-region": "Zürich", "via": "1.1 Straße 🦊"})


def surplus_response() -> Fault:
    """Send another response directly after the correct one, on the same connection."""
    body = b'{"error": "of another request"}'
    head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n" % len(body)
    return Fault(surplus=head + body)


def tls_alert() -> Fault:
    """Send a TLS alert (RFC 8446, 6), like a port that expects TLS."""
    return Fault(raw=b"\x15\x03\x03\x00\x02\x02\x46", works=False, ending="close")


def refused() -> Fault:
    """Close the connection, and refuse new ones until `FaultServer.listen`."""
    return Fault(works=False, cut=0.0, ending="close", stop_listening=True)


_JSON = {"content-type": "application/json"}
_UNKNOWN_VALUES = dict.fromkeys(
    ("type", "stop_reason", "loss_fn_output_type", "checkpoint_type", "status"), "from_the_future"
)
_LIST_FIELDS = ("sequences", "loss_fn_outputs")


class _Text(str):
    """A body that is sent as is, not encoded as JSON."""

    __slots__ = ()


def _extend(body: Any) -> Any:
    if isinstance(body, dict):
        fields = {
            name: value if name == "metrics" else _extend(value) for name, value in body.items()
        }
        return {**fields, "from_the_future": {"a": [1, None]}} if _is_object(body) else fields
    return [_extend(item) for item in body] if isinstance(body, list) else body


def _is_object(body: dict[str, Any]) -> bool:
    """Return True if the names are fields, False if they are the keys of a map of tensors."""
    return not any(isinstance(value, dict) and "dtype" in value for value in body.values())


def _replace(body: Any, values: Mapping[str, Any]) -> Any:
    """Replace the fields with these names, at every level."""
    if isinstance(body, dict):
        return {
            name: values[name] if name in values else _replace(value, values)
            for name, value in body.items()
        }
    return [_replace(item, values) for item in body] if isinstance(body, list) else body


def _repeat_first(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        name: [*value, *value[:1]] if name in _LIST_FIELDS else value
        for name, value in body.items()
    }
