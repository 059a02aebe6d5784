"""Which datum of a whole batch an error means that a server reported of one request's.

A batch may go in several requests, and a server counts the datums of each from 0. An index is
translated where it is certain to be one:

- paths: ``data[3]``, ``body.forward_input.data.3.model_input``, ``/forward_input/data/3``,
  ``body -> data -> 3``, and ``loss_fn_outputs[3]``;
- words: "datum 3", "datum #3", "datum index 3", "datums 3, 4 and 5";
- the ``loc`` of a validation error, as FastAPI and pydantic write it.

Only the first ``data`` of a path counts: a tensor of ``loss_fn_inputs`` has a ``data`` too. A
number that the request has no datum for is left as it is, and so is one that a message cut off.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Fields of a datum. What follows them in a path is not an index of datums.
_INSIDE = frozenset({"loss_fn_inputs", "model_input", "chunks"})
# Keys of a validation error with values that the user sent, and with addresses.
_NOT_SHIFTED = frozenset({"input", "url"})

_NUMBER = r"(?P<number>\d{1,9})"
# A number ends where no digit follows; the dots are those of a message that was cut.
_END = r"(?!\d|\.\.\.|\.\d)"
# Models that hold the datums, in the requests of known releases and in servers' own words.
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
        # /body/data/3, as RFC 6901 writes it
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
    """A server's text about the datums of a request, which are those of `chunk` in the batch."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: _shifted(match, chunk), text)
    return _SEVERAL.sub(
        lambda match: _DIGITS.sub(lambda one: str(_index(int(one[0]), chunk)), match[0]), text
    )


def body_in_batch(body: Any, chunk: range) -> Any:
    """A copy of a parsed error body with the indices of its texts and paths translated."""
    match body:
        case str():
            return text_in_batch(body, chunk)
        case list() | tuple():
            return [body_in_batch(entry, chunk) for entry in body]
        case dict():
            return {name: _value_in_batch(name, value, chunk) for name, value in body.items()}
    return body


def _value_in_batch(name: object, value: Any, chunk: range) -> Any:
    if name in _NOT_SHIFTED:
        return value
    if name == "loc" and isinstance(value, list | tuple):
        return path_in_batch(value, chunk)
    return body_in_batch(value, chunk)


def path_in_batch(path: Sequence[Any], chunk: range) -> list[Any]:
    """The steps of a path, such as ``["body", "data", 3, "model_input"]``."""
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


def _shifted(match: re.Match[str], chunk: range) -> str:
    index = str(_index(int(match["number"]), chunk))
    start, end = match.start("number") - match.start(), match.end("number") - match.start()
    return f"{match[0][:start]}{index}{match[0][end:]}"
