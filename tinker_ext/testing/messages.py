"""The requests that test servers receive, and their replies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import orjson
from attrs import field, frozen

from tinker_ext.config.parsers import may_be_secret
from tinker_ext.redaction.redactor import redact
from tinker_ext.redaction.secret import MASK

#: The prefix of the paths of all operations.
API = "/api/v1/"
_METHODS = frozenset({"get", "post", "put", "delete"})


@cache
def read_specification(document: str) -> Mapping[str, Any]:
    """A specification, a file of `tinker_api`."""
    specification: dict[str, Any] = orjson.loads((files("tinker_api") / document).read_bytes())
    return specification


@cache
def operations_of(document: str) -> Mapping[str, tuple[str, re.Pattern[str]]]:
    """The method and the path of each operation in a specification."""
    return {
        node["operationId"]: (
            method.upper(),
            re.compile(re.sub(r"\{\w+\}", "[^/]+", path.removeprefix(API))),
        )
        for path, item in read_specification(document)["paths"].items()
        for method, node in item.items()
        if method in _METHODS
    }


@lru_cache(maxsize=4096)
def _operation_of(method: str, path: str) -> str:
    for operation, (known_method, known_path) in operations_of("openapi.json").items():
        if method == known_method and known_path.fullmatch(path):
            return operation
    return path


@frozen
class Reply:
    """A response: a status code and a JSON, text or bytes body, sent after `delay` seconds."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    delay: float = 0.0

    def content(self) -> bytes:
        """The encoded body."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers, with a content type if the body is JSON."""
        content_type = {} if isinstance(self.body, str | bytes | None) else _JSON
        return {**content_type, **{name.lower(): value for name, value in self.headers.items()}}


_JSON = {"content-type": "application/json"}


def _mask(headers: Mapping[str, str]) -> str:
    """The headers with secrets masked, because failing tests print and log them."""
    masked = {n: MASK if may_be_secret(n, value) else value for n, value in headers.items()}
    return repr(masked)


@frozen
class Received:
    """A received request; `path` is relative to /api/v1/, and `body` is decoded.

    Its repr masks headers that may contain credentials.
    """

    path: str
    method: str
    headers: Mapping[str, str] = field(repr=_mask)
    body: Any = field(repr=lambda body: redact(repr(body)))
    query: Mapping[str, str]

    @property
    def operation(self) -> str:
        """The id of the operation in the specification; the path of an unknown operation."""
        return _operation_of(self.method, self.path)
