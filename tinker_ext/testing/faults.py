"""What goes wrong between a client and a server, by name, for `FaultServer.answer`.

Where a fault hits the answer, the server has done the work: the request counts, and only its
answer is lost. `lost_request()` is the other case: nothing was done.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from tinker_ext.testing.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROXY_PAGE = (
    "<!DOCTYPE html><html><head><title>{status} Bad Gateway</title></head>"
    "<body><center><h1>{status} Bad Gateway</h1></center><hr>nginx</body></html>"
)


@frozen(kw_only=True)
class Fault:
    """How an answer goes wrong on its way.

    Attributes:
        reply: sent in place of the usual answer.
        alter: changes the JSON of the usual answer.
        works: whether the server does the work before things go wrong.
        cut: the part of the whole answer (headers included) that is sent, from 0 to 1.
        cut_body: the same, of the body alone.
        ending: whether the connection stays, is closed, or is reset, after that.
        delay: seconds before anything is sent.
        piece, interval: bytes sent at a time and seconds between; 0 for all at once.
        stream: parts of a body of unknown length, sent in place of the reply's.
        raw: bytes sent as they are in place of any answer.
        stop_listening: refuse every connection from now on, until `FaultServer.listen`.
        headers: added to those of the reply; any text that fits in bytes of UTF-8.
        surplus: bytes sent right behind the response.
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
    """The connection closes before the server has done anything."""
    return Fault(works=False, cut=0.0, ending="close")


def dropped() -> Fault:
    """The connection closes after the work, without an answer."""
    return Fault(cut=0.0, ending="close")


def half_sent() -> Fault:
    """Headers and half of the body announced in them, then the connection closes."""
    return Fault(cut_body=0.5, ending="close")


def reset() -> Fault:
    """The connection is reset in the middle of the answer."""
    return Fault(cut_body=0.5, ending="reset")


def delayed(seconds: float) -> Fault:
    """The usual answer, later."""
    return Fault(delay=seconds)


def trickled(piece: int = 7, interval: float = 0.001) -> Fault:
    """The whole answer, a few bytes at a time."""
    return Fault(piece=piece, interval=interval)


def endless(interval: float = 0.01) -> Fault:
    """A body that trickles for ever."""

    def spaces() -> Iterator[bytes]:
        while True:
            yield b" "

    return Fault(stream=spaces, interval=interval)


def silent() -> Fault:
    """The request is taken in, and nothing is ever answered."""
    return Fault(cut=0.0, ending="stay", interval=-1.0)


def huge(size: int) -> Fault:
    """A JSON body of `size` bytes."""

    def parts() -> Iterator[bytes]:
        yield b'{"padding": "'
        block = b"x" * 65536
        for _ in range(size // len(block)):
            yield block
        yield b'"}'

    return Fault(stream=parts)


def bomb(size: int) -> Fault:
    """A gzip body that unfolds to `size` spaces."""
    folded = gzip.compress(b" " * size, 9)
    return Fault(reply=Reply(200, folded, {"content-encoding": "gzip", **_JSON}))


def proxy_page(status: int = 502) -> Fault:
    """A proxy's HTML page; with status 200 too, as captive portals do."""
    page = PROXY_PAGE.format(status=status)
    return Fault(reply=Reply(status, page, {"content-type": "text/html"}), works=status < 500)


def truncated_json() -> Fault:
    """A body that is complete for HTTP, and half of a JSON document."""
    return Fault(alter=lambda body: _Text(json.dumps(body)[: len(json.dumps(body)) // 2]))


def invalid_json() -> Fault:
    """A body that is Python and no JSON."""
    return Fault(alter=lambda body: _Text("{'single': quotes}"))


def wrong_content_type() -> Fault:
    """The right body, called text."""
    return Fault(headers={"content-type": "text/plain"})


def not_a_number() -> Fault:
    """NaN and Infinity in metrics, as Python servers write them."""

    def alter(body: Any) -> Any:
        if isinstance(body, dict):
            numbers = {"a:mean": float("nan"), "b:max": float("inf")}
            body = {**body, "metrics": {**(body.get("metrics") or {}), **numbers}}
        return _Text(json.dumps(body))

    return Fault(alter=alter)


def unknown_fields() -> Fault:
    """Fields that this release does not know, at every level."""
    return Fault(alter=_extend)


def unknown_values() -> Fault:
    """Words of the future in place of those known for types, states and reasons."""
    return Fault(alter=_rename)


def other_counts() -> Fault:
    """One sequence or one output more than the request asked for."""
    return Fault(alter=_repeat_first)


def wrong_values() -> Fault:
    """Tokens that are null, and tensors whose shape is not that of their numbers."""
    return Fault(alter=_falsify)


def another_shape() -> Fault:
    """A JSON document, and nothing of what was promised."""
    return Fault(alter=lambda body: [1, 2, 3])


def redirect(location: str, status: int = 307) -> Fault:
    """The answer is kept elsewhere; nothing is done."""
    return Fault(reply=Reply(status, None, {"location": location}), works=False)


def not_http() -> Fault:
    """Bytes that are no HTTP."""
    return Fault(raw=b"SSH-2.0-OpenSSH_9.6\r\n", ending="close")


def not_ascii_headers() -> Fault:
    """Headers as proxies write them, with bytes beyond ASCII."""
    return Fault(headers={"x-region": "Zürich", "via": "1.1 Straße 🦊"})


def surplus_response() -> Fault:
    """Another response right behind the right one, on the same connection."""
    body = b'{"error": "of another request"}'
    head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n" % len(body)
    return Fault(surplus=head + body)


def tls_alert() -> Fault:
    """A TLS alert (RFC 8446, 6) in place of a response, as from a port that speaks TLS."""
    return Fault(raw=b"\x15\x03\x03\x00\x02\x02\x46", works=False, ending="close")


def refused() -> Fault:
    """The connection closes, and new ones are refused until `FaultServer.listen`."""
    return Fault(works=False, cut=0.0, ending="close", stop_listening=True)


_JSON = {"content-type": "application/json"}
_WORDS = frozenset({"type", "stop_reason", "loss_fn_output_type", "checkpoint_type", "status"})

_COUNTED = ("sequences", "loss_fn_outputs")


class _Text(str):
    """JSON written already."""

    __slots__ = ()


def _extend(body: Any) -> Any:
    if isinstance(body, dict):
        kept = {
            name: value if name == "metrics" else _extend(value) for name, value in body.items()
        }
        return {**kept, "from_the_future": {"a": [1, None]}} if _is_object(body) else kept
    return [_extend(one) for one in body] if isinstance(body, list) else body


def _is_object(body: dict[str, Any]) -> bool:
    """Whether names are fields, and not the keys of a map of tensors."""
    return not any(isinstance(one, dict) and "dtype" in one for one in body.values())


def _rename(body: Any) -> Any:
    if isinstance(body, dict):
        return {
            name: "from_the_future" if name in _WORDS else _rename(value)
            for name, value in body.items()
        }
    return [_rename(one) for one in body] if isinstance(body, list) else body


def _repeat_first(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        name: [*value, *value[:1]] if name in _COUNTED else value for name, value in body.items()
    }


def _falsify(body: Any) -> Any:
    if isinstance(body, dict):
        return {
            name: [None] if name == "tokens" else [7] if name == "shape" else _falsify(value)
            for name, value in body.items()
        }
    return list(map(_falsify, body)) if isinstance(body, list) else body
