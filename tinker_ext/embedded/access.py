"""Rejects requests of web pages, by their Host, Origin and Sec-Fetch-Site headers.

A web page can make the user's browser send requests to this machine: to a host name of its own that
resolves to 127.0.0.1 (DNS rebinding), or from its own origin. Both are rejected.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import field, frozen

from tinker_ext.embedded.errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request


# A host and port, without a user; the host may be an IPv6 address in brackets.
_AUTHORITY = re.compile(r"(?:\[([^\[\]@]*)\]|([^\[\]:@]*))(?::[0-9]*)?")


def _lower(names: Iterable[str]) -> frozenset[str]:
    lower = (name.strip().strip("[]").rstrip(".").lower() for name in names)
    return frozenset(name for name in lower if name)


@frozen
class Access:
    """The host names that requests may be addressed to.

    An IP address and ``localhost`` are always accepted, because a web page can't make them resolve
    to another machine. `names` are further host names, without a port. `public_url` is the
    server's URL as clients see it, if it differs from the address that the server listens on.
    """

    names: frozenset[str] = field(default=frozenset(), converter=_lower)
    public_url: str | None = None

    def check(self, request: Request) -> None:
        """Reject a request that was sent by a foreign web page.

        Raises:
            RejectedRequestError: its Host is not a name of this server (421), or it comes from
                another origin (403).
        """
        hosts = request.headers.getlist("host")
        host = ", ".join(hosts)
        if len(hosts) != 1 or not self._is_own(host_name(host)):
            raise RejectedRequestError(
                421,
                f"Host {host[:200]!r} is not a name of this server; to accept it, start the "
                "server with --allow-host NAME",
            )
        for origin in request.headers.getlist("origin"):
            if not self._is_same(origin, host):
                raise RejectedRequestError(
                    403, f"Origin {origin[:200]!r}: requests from other websites are not accepted"
                )
        site = request.headers.get("sec-fetch-site", "none")
        navigated = request.headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not navigated:
            raise RejectedRequestError(403, "requests from other websites are not accepted")

    def url_of(self, request: Request) -> str:
        """The server's URL for links: `public_url`, or the address that received the request."""
        if self.public_url is not None:
            return self.public_url
        host, port = request.scope["server"]
        return http_url(host, port)

    def _is_own(self, name: str) -> bool:
        public = urlsplit(self.public_url or "").hostname
        return name in {"localhost", public} | self.names or is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        """Whether an origin is the request's own Host, or one of `names` (behind a proxy)."""
        scheme, _, authority = origin.lower().partition("://")
        if scheme not in ("http", "https"):
            return False
        return authority == host.lower() or host_name(authority) in self.names


def host_name(authority: str) -> str:
    """The host of ``host:port``, in lower case; an IPv6 address without its brackets.

    Empty if the text is malformed.
    """
    parts = _AUTHORITY.fullmatch(authority.strip().lower())
    if parts is None:
        return ""
    return (parts[1] or parts[2] or "").rstrip(".")


def is_address(name: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this address accepts connections of this machine only."""
    if host.lower().rstrip(".") == "localhost":
        return True
    return is_address(host) and ip_address(host).is_loopback


def http_url(host: str, port: int) -> str:
    """The URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
