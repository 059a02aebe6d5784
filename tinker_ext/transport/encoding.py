"""JSON bodies, written from and read into memory without a Python object per number.

The standard library's encoder would hold the interpreter for as long as a large body takes; orjson
takes a fraction of that and reads numpy arrays in place (`make benchmark`: training 256 x 2048).
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import orjson

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.redaction.redactor import READ_TEXT

_ESCAPED_SURROGATE = b"\\ud"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def encode(body: Any) -> bytes:
    """Encode a request body as UTF-8 JSON; numpy arrays in it must be C-contiguous."""
    return orjson.dumps(body, option=_OPTIONS)


def decode(content: bytes) -> Any:
    """Decode a JSON answer.

    Some servers write `NaN` and `Infinity` for metrics. They are no JSON, and orjson refuses them,
    so such an answer is read once more by the standard library, which takes them. It also takes
    halves of characters (lone surrogates), which could not be written anywhere: they become "?".

    Raises:
        ValueError: the content is no JSON in either reading.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        found = json.loads(content)
        if _ESCAPED_SURROGATE in content.lower():
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return found


def read_body(content: bytes) -> Any:
    """A body as JSON, or the text where it is none; None where there is no body."""
    if not content:
        return None
    try:
        return decode(content)
    except ValueError:
        return content.decode("utf-8", "replace")


class MalformedBodyError(APIResponseValidationError):
    """A success whose body is cut off, or no JSON at all: something between has touched it."""


class PreEncoded:
    """A part of a body that is encoded already, in place of the generated model it stands for.

    Training data is encoded on the caller's thread, before the request has its place in the order;
    the event loop then only copies bytes. Generated models ask their parts for `to_dict()` and
    pass on what they get, and orjson writes a fragment as it is.
    """

    __slots__ = ("content",)

    def __init__(self, model: Any) -> None:
        self.content = encode(model.to_dict())

    def to_dict(self) -> Any:
        return orjson.Fragment(self.content)

    def __len__(self) -> int:
        """Bytes on the wire."""
        return len(self.content)


class DecodedResponse(httpx.Response):
    """A response that is wholly read, whose `json()` is `decode`."""

    def json(self, **_: Any) -> Any:
        try:
            return decode(self.content)
        except ValueError as error:
            raise MalformedBodyError(
                f"the answer is no JSON: {error}",
                status_code=self.status_code,
                body=self.content[:READ_TEXT],
            ) from None
