"""JSON encoding of requests and decoding of responses.

Uses orjson, which encodes numpy arrays without creating a Python object per number. The standard
library's encoder would hold the GIL much longer for a large body (`make benchmark`: training
256 x 2048).
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from tinker_ext.errors import APIResponseValidationError

#: Bytes of a JSON body that the event loop parses itself, in about 20 ms. Ours.
LARGE = 4 * 1024 * 1024

_ESCAPED_SURROGATE = b"\\ud"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def encode(body: Any) -> bytes:
    """Encodes a request body as UTF-8 JSON; numpy arrays in it must be C-contiguous."""
    return orjson.dumps(body, option=_OPTIONS)


def decode(content: bytes) -> Any:
    """Decodes a JSON response.

    Some servers send metrics as `NaN` and `Infinity`, which is not valid JSON and which orjson
    rejects. The standard library accepts it, so it parses what orjson can't. It also accepts lone
    surrogates, which no other encoder can write: they are replaced by "?".

    Raises:
        ValueError: neither parser accepts the content.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        value = json.loads(content)
        if _ESCAPED_SURROGATE in content.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return value


def read_body(content: bytes) -> Any:
    """The body as decoded JSON, or as text if it is not JSON; None if it is empty."""
    if not content:
        return None
    try:
        return decode(content)
    except ValueError:
        return content.decode("utf-8", "replace")


class MalformedBodyError(APIResponseValidationError):
    """A success whose body is truncated or not JSON, which suggests a proxy altered it."""


class PreEncoded:
    """A field of a request body that is already encoded; replaces the generated model.

    Training data is encoded on the caller's thread, before the request is put in order; the event
    loop then only copies bytes. Generated models call `to_dict()` on their fields and pass on the
    result, and orjson writes a fragment unchanged.
    """

    __slots__ = ("content",)

    def __init__(self, model: Any) -> None:
        self.content = encode(model.to_dict())

    def to_dict(self) -> Any:
        return orjson.Fragment(self.content)

    def __len__(self) -> int:
        """The number of encoded bytes."""
        return len(self.content)
