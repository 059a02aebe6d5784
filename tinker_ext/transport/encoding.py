"""JSON encoding of requests and decoding of responses.

Uses orjson, which encodes numpy arrays without creating a Python object per number. The standard
library's encoder would hold the GIL much longer for a large body (`make benchmark`: training
256 x 2048).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from tinker_ext.errors import APIResponseValidationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of a JSON body that the event loop parses itself, in about 20 ms. Ours.
LARGE = 4 * 1024 * 1024

_ESCAPED_SURROGATE = b"\\ud"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def encode(body: Any) -> bytes:
    """Encodes a request body as UTF-8 JSON; numpy arrays in it must be C-contiguous.

    Raises:
        InvalidInputError: a text is not valid Unicode, or an integer has more than 64 bits.
    """
    try:
        return orjson.dumps(body, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        where = next(_unencodable(body, ""), None)
        if where is None:
            raise  # Not a value of the caller's: an object or array that has no JSON form.
        raise InvalidInputError(f"it can't be sent as JSON: {error}", where=where) from None


def _unencodable(value: Any, place: str) -> Iterator[str]:
    """Yields the places of texts and integers in a body that can't be encoded."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            text = name if isinstance(name, str) and _is_encodable(name) else repr(name)
            if text is not name:
                yield f"the field {text}"
            yield from _unencodable(item, f"{place}.{text}" if place else text)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unencodable(item, f"{place}[{index}]")
    elif isinstance(value, str | int) and not _is_encodable(value):
        yield place


def _is_encodable(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


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
