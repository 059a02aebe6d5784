"""Decodes JSON: the numbers of large results as arrays, large documents in slices.

A JSON parser written in C holds the interpreter lock until it returns, and a worker thread that
parses a document at once stops the event loop for as long. Other threads run between two slices.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

Loads = Callable[[bytes], Any]

#: Bytes of a training result from which numbers become memoryviews. Ours: 3,000 logprobs.
LARGE_TENSORS = 64 * 1024
#: What simdjson raises for values that it or this package does not expect.
_SIMDJSON_ERRORS = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_ESCAPED_SURROGATE = b"\\ud"
#: Characters parsed in one call: about a millisecond. Ours.
SLICE = 64 * 1024

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(r'[^][{}",: \t\n\r]+')
_CLOSING = {"[": "]", "{": "}"}
#: Ends of members. A slice ends at the last one that is outside of strings and inner containers.
_SEPARATORS = ("},", "],", ",")
_scan = json.JSONDecoder().raw_decode


class _Kept(threading.local):
    """What a thread keeps between two calls."""

    parser: Any = None


_kept = _Kept()


def decode(content: bytes) -> Any:
    """Decodes a JSON response; the numbers of a large training result become memoryviews.

    Some servers send metrics as `NaN` and `Infinity`, which is not valid JSON and which orjson
    rejects. The standard library accepts it, so it parses what orjson can't. It also accepts lone
    surrogates, which no other encoder can write: they are replaced by "?".

    Raises:
        ValueError: neither parser accepts the content.
    """
    if len(content) > LARGE_TENSORS and b'"loss_fn_outputs"' in content:
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


def decode_in_slices(content: bytes, loads: Loads, *, size: int = SLICE) -> Any:
    """Decodes UTF-8 JSON to the same value as `loads`, which decodes each slice of the document.

    Args:
        content: the document.
        loads: decodes a complete JSON document.
        size: the number of characters of a slice.

    Raises:
        ValueError: the content is not JSON, or is nested too deeply.
    """
    document = _Document(content.decode(), loads, size)
    try:
        value, end = document.value(document.skip(0))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if end != len(document.text):
        raise json.JSONDecodeError("Extra data", document.text, end)
    return value


class _Document:
    """A document. Its methods take a position and return a value with the position after it."""

    def __init__(self, text: str, loads: Loads, size: int) -> None:
        self.text = text
        self._loads = loads
        self._size = size

    def skip(self, position: int) -> int:
        """The position of the next character that is not white space."""
        match = _SPACE.match(self.text, position)
        return position if match is None else match.end()

    def value(self, position: int) -> tuple[Any, int]:
        """The value at `position`, and the position of what follows."""
        first = self.text[position : position + 1]
        if first in _CLOSING:
            return self._container(position, first)
        match = (_STRING if first == '"' else _SCALAR).match(self.text, position)
        if match is None:
            raise json.JSONDecodeError("Expecting value", self.text, position)
        return self._loads(match.group().encode()), self.skip(match.end())

    def _container(self, position: int, opening: str) -> tuple[Any, int]:
        """The array or object at `position`: parsed at once if it ends within the slice."""
        if (complete := self._complete(position, "")) is not None:
            return complete
        values: Any = [] if opening == "[" else {}
        add = values.extend if opening == "[" else values.update
        position = self.skip(position + 1)
        while self.text[position : position + 1] != _CLOSING[opening]:
            if (run := self._run(position, opening)) is None:
                if (complete := self._complete(position, opening)) is not None:
                    add(complete[0])
                    return values, complete[1]
                run = self._member(position, opening)
            add(run[0])
            position = run[1]
            if self.text[position : position + 1] == ",":
                position = self.skip(position + 1)
                if self.text[position : position + 1] != _CLOSING[opening]:
                    continue
            elif self.text[position : position + 1] == _CLOSING[opening]:
                break
            raise json.JSONDecodeError("Expecting a member", self.text, position)
        return values, self.skip(position + 1)

    def _complete(self, position: int, opening: str) -> tuple[Any, int] | None:
        """The container whose text continues at `position`, if it ends within the slice."""
        part = opening + self.text[position : position + self._size]
        try:
            _, length = _scan(part)
        except ValueError:
            return None
        value = self._loads(part[:length].encode())
        return value, self.skip(position + length - len(opening))

    def _run(self, position: int, opening: str) -> tuple[Any, int] | None:
        """The members of a container that end within the slice, up to the comma after the last."""
        part = self.text[position : position + self._size]
        for separator in _SEPARATORS:
            end = part.rfind(separator) + len(separator) - 1
            if end > 0 and (members := part[:end].strip()):
                try:
                    document = f"{opening}{members}{_CLOSING[opening]}".encode()
                    return self._loads(document), position + end
                except ValueError:
                    continue
        return None

    def _member(self, position: int, opening: str) -> tuple[Any, int]:
        """The member at `position`, as a container that holds only this member."""
        if opening == "[":
            value, position = self.value(position)
            return [value], position
        name, position = self.value(position)
        if not isinstance(name, str) or self.text[position : position + 1] != ":":
            raise json.JSONDecodeError("Expecting a name and ':'", self.text, position)
        value, position = self.value(self.skip(position + 1))
        return {name: value}, position
