"""Translates the datum indices in an error message from a request to the whole batch.

A batch may be sent in several requests, and the server counts the datums of each from 0. A number
is translated if it is certainly an index:

- paths: ``data[3]``, ``body.forward_input.data.3.model_input``, ``/forward_input/data/3``,
  ``body -> data -> 3``, and ``loss_fn_outputs[3]``;
- text: "datum 3", "datum #3", "datum index 3", "datums 3, 4 and 5";
- the ``loc`` of a validation error of FastAPI or pydantic.

Only the first ``data`` of a path counts, because a tensor of ``loss_fn_inputs`` has ``data`` too.
Numbers out of range, and numbers truncated at the end of a message, are left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

# Fields of a datum; a number after them in a path is not the index of a datum.
_INSIDE = frozenset({"loss_fn_inputs", "model_input", "chunks"})
# Keys of a validation error that hold input values and URLs.
_UNTRANSLATED = frozenset({"input", "url"})

_NUMBER = r"(?P<number>\d{1,9})"
# The end of a number, which must not be followed by the dots of a truncated message.
_END = r"(?!\d|\.\.\.|\.\d)"
# Fields that contain the datums, in known releases and in messages of servers.
_OWNER = r"(?:body|request|input|(?:forward|forward_backward)_(?:input|request))"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # data[3], body.forward_input.data[3]
        rf"(?<![\w.\]/])(?:{_OWNER}\.)*data\[{_NUMBER}\]",
        rf"(?<![\w.\]/])loss_fn_outputs\[{_NUMBER}\]",
        # body.data.3, forward_input.data.3, data.3.model_input
        rf"(?<![\w.\]/])(?:{_OWNER}\.)+data\.{_NUMBER}{_END}",
        rf"(?<![\w.\]/])data\.{_NUMBER}(?=\.(?:loss_fn_inputs|model_input)\b)",
        # /body/data/3 (RFC 6901)
        rf"(?<![\w.:/])(?:/{_OWNER})+/data/{_NUMBER}(?![\w.-])",
        # body -> data -> 3
        rf"(?<![\w.] )\b(?:{_OWNER} -> )+data -> {_NUMBER}{_END}",
        # datum 3, datum #3, datum index 3
        rf"\b[Dd]atum (?:no\. |number |index |at index |#)?{_NUMBER}\b{_END}",
        rf"\b[Dd]atum_(?:index|idx)[ =:]{{1,2}}{_NUMBER}\b{_END}",
    )
)
# datums 3, 4 and 5
_SEVERAL = re.compile(rf"\b[Dd]atums (?:\d{{1,9}}(?:, | and |, and ))*\d{{1,9}}\b{_END}")
_DIGITS = re.compile(r"\d+")


def text_in_batch(text: str, chunk: range) -> str:
    """Translates the indices in a message about a request that contains `chunk` of the batch."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: _translate(match, chunk), text)
    return _SEVERAL.sub(
        lambda match: _DIGITS.sub(lambda digits: str(_index(int(digits[0]), chunk)), match[0]), text
    )


def body_in_batch(body: Any, chunk: range) -> Any:
    """Copies a parsed error body and translates the indices in its texts and paths."""
    match body:
        case str():
            return text_in_batch(body, chunk)
        case list() | tuple():
            return [body_in_batch(entry, chunk) for entry in body]
        case dict():
            return {name: _value_in_batch(name, value, chunk) for name, value in body.items()}
    return body


def _value_in_batch(name: object, value: Any, chunk: range) -> Any:
    if name in _UNTRANSLATED:
        return value
    if name == "loc" and isinstance(value, list | tuple):
        return path_in_batch(value, chunk)
    return body_in_batch(value, chunk)


def path_in_batch(path: Sequence[Any], chunk: range) -> list[Any]:
    """Translates the index in a path such as ``["body", "data", 3, "model_input"]``."""
    steps = list(path)
    for at, (name, index) in enumerate(pairwise(steps)):
        if name in _INSIDE:
            break
        if name == "data" and type(index) is int:
            steps[at + 1] = _index(index, chunk)
            break
    return steps


def _index(index: int, chunk: range) -> int:
    return chunk[index] if 0 <= index < len(chunk) else index


def _translate(match: re.Match[str], chunk: range) -> str:
    index = str(_index(int(match["number"]), chunk))
    start, end = match.start("number") - match.start(), match.end("number") - match.start()
    return f"{match[0][:start]}{index}{match[0][end:]}"
