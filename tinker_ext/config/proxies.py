"""Selects the proxy of the environment for a URL.

The rules are those of httpx and therefore of the official client: one variable per scheme, one for
all schemes, and excepted hosts. One rule is ours: requests to this machine never use such a proxy,
because a proxy elsewhere could not reach it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen


@frozen
class EnvironmentProxy:
    """A proxy's URL, which may contain a password, and the setting that it comes from."""

    url: str = field(repr=False)
    source: str


@frozen
class ProxyRules:
    """The proxies by scheme ("http", "https", "all"), and the hosts that are reached directly."""

    proxies: Mapping[str, EnvironmentProxy] = field(factory=dict)
    no_proxy: tuple[str, ...] = ()

    def choose(self, url: str) -> EnvironmentProxy | None:
        """The proxy for requests to `url`; None if they are sent directly."""
        target = urlsplit(url)
        if is_loopback(target.hostname or ""):
            return None
        if any(_is_excepted(target, entry) for entry in self.no_proxy):
            return None
        return self.proxies.get(target.scheme) or self.proxies.get("all")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _is_excepted(target: SplitResult, entry: str) -> bool:
    """Whether an entry of NO_PROXY matches `target`.

    A name matches its subdomains, too; with a leading dot it matches only these. An address matches
    itself. An entry may have a scheme and a port. A path alone matches nothing.
    """
    if entry == "*":
        return True
    try:
        pattern = _pattern(entry)
        port = pattern.port
    except ValueError:  # It is neither a name nor an address, or its port is invalid.
        return False
    if pattern.scheme not in ("all", target.scheme):
        return False
    if port is not None and port != target.port:
        return False
    host = pattern.hostname or "*"
    if host == "*" and port is None and pattern.scheme == "all":
        return False  # Such as a path alone.
    return _is_host(target.hostname or "", host)


def _pattern(entry: str) -> SplitResult:
    """An entry of NO_PROXY as a URL; its host starts with a star if it matches subdomains."""
    if "://" in entry:
        return urlsplit(entry)
    host = entry.split("/")[0].strip("[]")
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return urlsplit(f"all://[{host}]")
    exact = address is not None or entry.lower() == "localhost"
    return urlsplit(f"all://{entry}" if exact else f"all://*{entry}")


def _is_host(host: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    if pattern.startswith("*"):
        return host == pattern[1:] or host.endswith(f".{pattern[1:]}")
    return host == pattern


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
