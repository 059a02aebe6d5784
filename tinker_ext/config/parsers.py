"""Parses a setting from an argument or from the text of an environment variable.

A reader takes either and returns the value, or raises ValueError with a message that completes
"base_url: ...". The message of a reader of secrets never contains the value.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import MappingProxyType
from typing import Any, final
from urllib.parse import SplitResult, unquote, urlsplit

from tinker_ext.redaction.redactor import redact, shorten
from tinker_ext.redaction.secret import MASK, Secret

#: The base URL that means the backend on this machine.
EMBEDDED = "embedded"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
#: HTTP transports.
HTTP_TRANSPORTS = ("asyncio", "httpcore")
# A former transport, which the first one has replaced.
_FORMER_TRANSPORTS = {"aiohttp": "asyncio"}

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})
#: The prefix of all operations' paths.
API_PATH = "/api/v1"
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2: token
# RFC 9110, 5.5: field-content, limited to US-ASCII, because httpx sends no other text.
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d*)?")
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")

# Words in the names of headers whose values may be credentials.
_SECRET_WORDS = (
    "auth",
    "cookie",
    "credential",
    "jwt",
    "key",
    "pass",
    "secret",
    "session",
    "signature",
    "token",
)
_SCHEME = re.compile(r"(?:basic|bearer|digest|token)\s", re.IGNORECASE)

Reader = Callable[[object], object]


def may_be_secret(name: str, value: str = "") -> bool:
    """Whether a header may be a credential, by its name or by how its value begins."""
    named = any(word in name.lower() for word in _SECRET_WORDS)
    return named or _SCHEME.match(value) is not None


@final
class Headers(Mapping[str, str]):
    """Headers of every request; repr and pickle leave out values that may be credentials.

    Attributes:
        secrets: those values, and parts of them that a server may repeat alone.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        parts = (
            part
            for name, value in headers.items()
            if may_be_secret(name, value)
            for part in _parts(value)
        )
        self.secrets = tuple(Secret(part) for part in dict.fromkeys(parts))

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self._headers, MASK))

    def __reduce__(self) -> tuple[type[Headers], tuple[dict[str, str]]]:
        harmless = {n: value for n, value in self._headers.items() if not may_be_secret(n, value)}
        return Headers, (harmless,)


def _parts(value: str) -> Iterator[str]:
    """A header's value and its parts: `Bearer X`, `name=X; name=Y`, `Basic X`."""
    yield value
    for piece in re.split(r"[;,]\s*", value):
        scheme, _, rest = piece.strip().partition(" ")
        if rest:
            yield rest.strip()
        if scheme.lower() == "basic":
            yield from _basic_password(rest.strip())
        name, _, text = (rest.strip() or piece.strip()).partition("=")
        if name and " " not in name:
            yield text.strip().strip('"')


def _basic_password(token: str) -> Iterator[str]:
    try:
        yield base64.b64decode(token).decode("utf-8", "replace").partition(":")[2]
    except binascii.Error:
        return


@final
class ProxyURL(str):
    """The URL of a proxy; repr and pickle leave out the user and password.

    Attributes:
        secrets: the password as written and as sent, and the token of Basic authentication.
    """

    secrets: tuple[Secret, ...]

    def __new__(cls, url: str) -> ProxyURL:
        self = super().__new__(cls, url)
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        texts = (parts.password or "", password, token) if user or password else ()
        self.secrets = tuple(Secret(text) for text in dict.fromkeys(texts) if text)
        return self

    def __repr__(self) -> str:
        return repr(without_credentials(str(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return ProxyURL, (without_credentials(str(self)),)


def read_secret(value: object) -> Secret:
    """A key for a header, without surrounding whitespace such as the newline of a file."""
    text = _revealed(value)
    if not text:
        raise ValueError("must not be empty")
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must not contain whitespace, control or non-ASCII characters")
    return Secret(text)


def read_command(value: object) -> Secret:
    """A shell command; treated as a secret, because it may contain one."""
    text = _revealed(value)
    if not text or "\0" in text:
        raise ValueError("the command must not be empty or contain a NUL byte")
    return Secret(text)


def _revealed(value: object) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        raise ValueError(f"expected a str, got {type(text).__name__}")
    return text.strip()


def read_text(value: object) -> str:
    """A text that fits in a header."""
    if not isinstance(value, str):
        raise ValueError(f"expected a str, got {redacted_repr(value)}")
    if not value.strip():
        raise ValueError("must not be empty")
    if not _HEADER_VALUE.fullmatch(value.strip()):
        raise ValueError(f"{redacted_repr(value)} has characters that are invalid in a header")
    return value.strip()


def read_base_url(value: object) -> str:
    """An http or https URL without a slash at the end, or "embedded"."""
    text = read_text(value).rstrip("/")
    if text == EMBEDDED:
        return text
    parts = _split_url(text, ("http", "https"), other=f", or {EMBEDDED!r}")
    if parts.path.endswith(API_PATH):
        visible = redacted_repr(without_credentials(text))
        raise ValueError(
            f"{visible} ends with {API_PATH}, which is appended automatically; leave it out"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not contain a user or password; use default_headers")
    if parts.query or parts.fragment:
        visible = redacted_repr(without_credentials(text))
        raise ValueError(f"expected a URL without query or fragment, but {visible} has one")
    return text


def read_proxy(value: object) -> ProxyURL:
    """The URL of a proxy, optionally with a user and password; its scheme in lower case."""
    text = read_text(value)
    parts = _split_url(text, _PROXY_SCHEMES)
    text = parts.scheme + text[len(parts.scheme) :]
    if "\t" in text or not _is_host(parts.netloc.rpartition("@")[2]):
        raise ValueError(f"{redacted_repr(without_credentials(text))} has an invalid host")
    return ProxyURL(text)


def _is_host(authority: str) -> bool:
    """Whether the host of ``host:port`` is a name or an address, as httpx reads them."""
    bracketed = _BRACKETED.fullmatch(authority)
    host = authority.partition(":")[0]
    try:
        if bracketed is not None:
            IPv6Address(bracketed[1])
        elif _IPV4.fullmatch(host):
            IPv4Address(host)
        else:
            return not set("[]") & set(authority)
    except ValueError:
        return False
    return True


def without_credentials(url: str) -> str:
    """A URL without user and password, and without the query, which may contain a key."""
    head, _, rest = url.rpartition("@")
    scheme, separator, _ = head.partition("://")
    text = f"{scheme}://{rest}" if separator else rest
    return re.split("[?#]", text, maxsplit=1)[0]


def _split_url(text: str, schemes: tuple[str, ...], other: str = "") -> SplitResult:
    visible = redacted_repr(without_credentials(text))
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Such as an invalid port.
        usable = False
    if not usable or " " in text:
        prefixes = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"expected a URL starting with {prefixes}{other}, got {visible}")
    return parts


def read_path(value: object) -> Path:
    """A folder or a file, ``~`` expanded."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"expected a path, got {redacted_repr(value)}")
    return Path(value).expanduser()


def read_seconds(value: object) -> float:
    """A positive number of seconds; may be infinite."""
    seconds = _number(value)
    if not seconds > 0:
        raise ValueError(f"expected a positive number of seconds, got {redacted_repr(value)}")
    return seconds


def read_rate(value: object) -> float:
    """A non-negative number per second; may be infinite."""
    rate = _number(value)
    if not rate >= 0:
        raise ValueError(f"expected a non-negative number, got {redacted_repr(value)}")
    return rate


def read_count(value: object) -> int:
    """An integer of at least 1."""
    return read_integer(value, least=1)


def read_integer(value: object, least: int = 0) -> int:
    """An integer of at least 0, or `least`."""
    count = _number(value)
    if not count >= least or not count.is_integer():
        raise ValueError(f"expected an integer of at least {least}, got {redacted_repr(value)}")
    return int(count)


def _number(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    return math.nan


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def read_flag(value: object) -> bool:
    """On or off, in any of the usual spellings."""
    if isinstance(value, bool):
        return value
    word = _word(value)
    if word not in _ON | _OFF:
        raise ValueError(
            f"expected on or off (1, true, yes, on; 0, false, no, off), got {redacted_repr(value)}"
        )
    return word in _ON


def read_log_level(value: object) -> str:
    """The name of a log level, in lower case."""
    word = _word(value)
    if word not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}, got {redacted_repr(value)}")
    return word


def read_http_transport(value: object) -> str:
    """The name of a transport, in lower case."""
    word = _FORMER_TRANSPORTS.get(_word(value), _word(value))
    if word not in HTTP_TRANSPORTS:
        known = " or ".join(HTTP_TRANSPORTS)
        raise ValueError(f"expected {known}, got {redacted_repr(value)}")
    return word


def parse_str_list(value: object) -> tuple[str, ...]:
    """Words in the given order, without duplicates; a single str is split at its commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Iterable) or isinstance(items, Mapping | bytes):
        raise ValueError(f"expected a list of str, got {redacted_repr(value)}")
    words = list(items)
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"expected a list of str, got {redacted_repr(word)} in it")
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def read_metadata(value: object) -> Mapping[str, str]:
    """A mapping of str to str."""
    return MappingProxyType(_texts(value))


def read_headers(value: object) -> Headers:
    """Extra request headers; errors never contain their values, which may be credentials."""
    headers = _texts(value)
    for name, text in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            # The name may contain a complete header, including its value.
            start = redacted_repr(re.split(r"[^\w-]", name, maxsplit=1)[0])
            raise ValueError(f"the name that starts with {start} is not a valid header name")
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError(f"the value of {name} has characters that are invalid in a header")
        if name.lower() == "x-api-key":
            raise ValueError(f"{name} can't be set here; use api_key")
    return Headers(headers)


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping of str to str, got {type(value).__name__}")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(
                f"expected a mapping of str to str, got another type in entry {redacted_repr(name)}"
            )
    return dict(value)


def redacted_repr(value: object) -> str:
    """A short repr for a message, with any secret redacted."""
    return shorten(redact(repr(value)), 80)
