"""JSON encoding of requests and decoding of responses.

Uses orjson, which encodes numpy arrays without creating a Python object per number. The standard
library's encoder would hold the GIL much longer for a large body (`make benchmark`: training
256 x 2048).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from tinker_ext.errors import APIResponseValidationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of a JSON body that the event loop parses itself, in about 20 ms. Ours.
LARGE = 4 * 1024 * 1024

_ESCAPED_SURROGATE = b"\\ud"
#: Bytes of a training result from which numbers become memoryviews. Ours: 3,000 logprobs.
_LARGE_TENSORS = 64 * 1024
#: What simdjson raises for values that it or this package does not expect.
_SIMDJSON_ERRORS = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


class _Kept(threading.local):
    """What a thread keeps between two calls."""

    parser: Any = None


_kept = _Kept()


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
    """Decodes a JSON response; the numbers of a large training result become memoryviews.

    Some servers send metrics as `NaN` and `Infinity`, which is not valid JSON and which orjson
    rejects. The standard library accepts it, so it parses what orjson can't. It also accepts lone
    surrogates, which no other encoder can write: they are replaced by "?".

    Raises:
        ValueError: neither parser accepts the content.
    """
    if len(content) > _LARGE_TENSORS and b'"loss_fn_outputs"' in content:
        with suppress(ImportError, *_SIMDJSON_ERRORS):
            return _decode_tensors(content)
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


def _decode_tensors(content: bytes) -> dict[str, Any]:
    """Decodes a training result without creating a Python object per number.

    Each thread keeps its parser, whose memory would cost a tenth of the time to allocate again.

    Raises:
        ImportError: simdjson is not installed.
        Exception: one of `_SIMDJSON_ERRORS`; the result may be valid nevertheless.
    """
    import simdjson

    def members(value: Any) -> dict[str, Any]:
        names = list(value.keys())
        values = {name: value[name] for name in names}
        if len(values) < len(names):  # simdjson returns the first of two, other parsers the last.
            raise ValueError("a name appears twice")
        return values

    def plain(value: Any) -> Any:
        if isinstance(value, simdjson.Object):
            return value.as_dict()
        return value.as_list() if isinstance(value, simdjson.Array) else value

    def tensor(value: Any) -> dict[str, Any]:
        fields = members(value)
        numbers = fields.pop("data")
        is_integer = fields.get("dtype") == "int64"
        packed = memoryview(numbers.as_buffer(of_type="i" if is_integer else "d"))
        view: memoryview[Any] = packed.cast("q") if is_integer else packed.cast("d")
        if len(view) != len(numbers) or (view and isinstance(numbers[0], simdjson.Array)):
            raise ValueError("the numbers are nested")  # `as_buffer` flattens them.
        return {"data": view, **{name: plain(field) for name, field in fields.items()}}

    parser = _kept.parser or simdjson.Parser()
    _kept.parser = None  # A traceback would hold parts of the document, which the parser owns.
    document = members(parser.parse(content))
    result = {
        "loss_fn_outputs": [
            {name: tensor(value) for name, value in members(output).items()}
            for output in document.pop("loss_fn_outputs")
        ],
        **{name: plain(value) for name, value in document.items()},
    }
    _kept.parser = parser
    return result


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
