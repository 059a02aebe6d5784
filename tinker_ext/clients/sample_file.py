"""A JSONL file with the results of `SamplingClient.sample_many`, from which a later call resumes.

The first line describes the call, each other line is the result of one prompt:

    {"kind": "samples", "format": 1, "model": "...", "num_samples": 1, "sampling_params": {...}}
    {"index": 0, "prompt": "9f2c...", "response": {"sequences": [...], ...}}
    {"index": 1, "prompt": "77aa...", "error": {"type": "BadRequestError", "message": "..."}}

Lines are in the order of completion. The next call samples a prompt with an error again and appends
the result; the last line of an index is valid.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_ext import types
from tinker_ext.json_lines import JsonLines

FORMAT = 1
#: Characters of a prompt's SHA-256 digest in the file; 64 bits distinguish billions of prompts.
DIGEST_LENGTH = 16
_MISSING = -1


def prompt_digest(prompt: types.ModelInput) -> str:
    """A digest of all chunks of a prompt."""
    text = json.dumps(prompt.to_api().to_dict(), sort_keys=True, default=_as_list)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


class SampleFile:
    """The results of one call, open for reading and appending.

    Memory: eight bytes per prompt.

    Args:
        path: created with its folders if it does not exist.
        call: what the results depend on besides the prompts; compared with the file's first line.

    Raises:
        InvalidInputError: the file belongs to another call or another program, or is in use.
        OSError: the file can't be read or written.
    """

    def __init__(self, path: Path, call: Mapping[str, Any]) -> None:
        self._call = {"kind": "samples", "format": FORMAT, **call}
        self._positions = array("q")
        self._file = JsonLines(path, where="save_to")
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        """Check the first line, and read the positions of all results."""
        if self._file.is_empty:
            self._file.append(self._call)
        for number, (position, record) in enumerate(self._file.lines(), start=1):
            difference = None
            try:
                if number == 1:
                    difference = self._compare(record)
                elif "response" in record:
                    self._set_position(int(record["index"]), position)
            except (ValueError, KeyError, TypeError, OverflowError):
                difference = f"line {number} is not a line of sample_many; use another file"
            if difference is not None:
                raise self._file.error(difference)

    def _compare(self, stored: Mapping[str, Any]) -> str | None:
        """How the call that wrote the file differs from this one; None if it does not."""
        if stored["kind"] != "samples" or stored["format"] != FORMAT:
            raise ValueError
        for name, value in self._call.items():
            other = stored[name]
            if name == "model" and None in (value, other):
                continue  # Weights without a name can't be compared.
            if value != other:
                return _difference(name, other, value)
        return None

    def _set_position(self, index: int, position: int) -> None:
        if index < 0:
            raise ValueError
        missing = index + 1 - len(self._positions)
        if missing > 0:
            self._positions.extend([_MISSING] * missing)
        self._positions[index] = position

    def has(self, index: int) -> bool:
        """Whether the file has a result of the prompt with this index."""
        return index < len(self._positions) and self._positions[index] != _MISSING

    def read(self, index: int, prompt: str) -> types.SampleResponse | None:
        """The result of a prompt; None if it has none yet.

        Raises:
            InvalidInputError: it is the result of a prompt with another digest.
        """
        if not self.has(index):
            return None
        return _response(self.check_prompt(index, prompt)["response"])

    def check_prompt(self, index: int, prompt: str) -> dict[str, Any]:
        """The line of a prompt that has a result.

        Raises:
            InvalidInputError: it is the result of a prompt with another digest.
        """
        record = self._file.read(self._positions[index])
        if record.get("prompt") != prompt:
            raise self._file.error(
                f"prompt {index} differs from that of the stored result; pass the same prompts in "
                "the same order, or use another file"
            )
        return record

    def write(self, index: int, prompt: str, outcome: types.SampleResponse | Exception) -> None:
        """Append a result or a failure."""
        record: dict[str, Any] = {"index": index, "prompt": prompt}
        if isinstance(outcome, Exception):
            record["error"] = {"type": type(outcome).__name__, "message": str(outcome)}
        else:
            record["response"] = outcome.model_dump()
        self._file.append(record, default=_as_list)

    def close(self) -> None:
        """Close the file and release it for other calls."""
        self._file.close()


def _as_list(array: Any) -> Any:
    """Token ids, which are arrays in some prompts."""
    return array.tolist()


def _response(stored: dict[str, Any]) -> types.SampleResponse:
    """A response with the pairs of its most likely tokens as tuples, which JSON does not have."""
    for record, name in [
        (stored, "topk_prompt_logprobs"),
        *((sequence, "topk_logprobs") for sequence in stored["sequences"]),
    ]:
        if record.get(name) is not None:
            record[name] = [row and [tuple(pair) for pair in row] for row in record[name]]
    return types.SampleResponse.model_validate(stored)


def _difference(name: str, stored: object, value: object) -> str:
    """Which part of the call differs from that of the file."""
    if isinstance(stored, Mapping) and isinstance(value, Mapping):
        for key in [*value, *stored]:
            if stored.get(key) != value.get(key):
                return _difference(f"{name}.{key}", stored.get(key), value.get(key))
    return (
        f"{name} is {value!r} and was {stored!r} in the call that wrote this file; use another file"
    )
