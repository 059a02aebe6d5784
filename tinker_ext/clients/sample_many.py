"""Samples from any number of prompts with bounded memory: `SamplingClient.sample_many`."""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from attrs import field, frozen

from tinker_ext import types
from tinker_ext.errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidInputError,
    SessionLostError,
)
from tinker_ext.json_lines import JsonLines
from tinker_ext.runtime.concurrency.as_completed import CompletionQueue, FutureIterator, NotYet
from tinker_ext.runtime.concurrency.futures import APIFuture

#: Errors that every other prompt would have as well; they end the iteration.
FATAL_ERRORS = (AuthenticationError, ClientClosedError, ConfigurationError, SessionLostError)
FORMAT = 1
#: Characters of a prompt's SHA-256 digest in the file; 64 bits distinguish billions of prompts.
DIGEST_LENGTH = 16
_MISSING = -1


@frozen
class SampleOutcome:
    """The result of one prompt of `sample_many`: either a response or an error.

    Attributes:
        index: the position of the prompt, from 0.
        prompt: the prompt itself.
        response: its samples; None if it failed.
        error: the reason of the failure; None if it succeeded.
        stored: whether the response was read from the file of an earlier call.
    """

    index: int
    prompt: types.ModelInput = field(repr=False)
    response: types.SampleResponse | None = field(default=None, repr=False)
    error: Exception | None = None
    stored: bool = False

    def result(self) -> types.SampleResponse:
        """The response; raises the error of a prompt that failed."""
        if self.response is None:
            assert self.error is not None
            raise self.error
        return self.response


@frozen
class SampleProgress:
    """The progress of `sample_many` after one more prompt.

    Attributes:
        completed: prompts with a result, including failures and stored results.
        failed: prompts that failed.
        stored: prompts whose result was read from the file of an earlier call.
        total: the number of prompts; None if `prompts` has no length.
        sampled_tokens: tokens of all responses, without those of stored results.
    """

    completed: int = 0
    failed: int = 0
    stored: int = 0
    total: int | None = None
    sampled_tokens: int = 0

    def after(self, outcome: SampleOutcome) -> SampleProgress:
        """The progress after another outcome."""
        tokens = 0
        if outcome.response is not None and not outcome.stored:
            tokens = sum(len(sequence.tokens) for sequence in outcome.response.sequences)
        return SampleProgress(
            completed=self.completed + 1,
            failed=self.failed + (outcome.error is not None),
            stored=self.stored + outcome.stored,
            total=self.total,
            sampled_tokens=self.sampled_tokens + tokens,
        )


#: Called after each prompt, on the thread of the iteration.
ProgressCallback: TypeAlias = Callable[[SampleProgress], object]


@frozen
class _Pending:
    index: int
    prompt: types.ModelInput
    digest: str
    future: APIFuture[types.SampleResponse]


class SampleStream(FutureIterator[SampleOutcome]):
    """The outcomes of `SamplingClient.sample_many`, for `for` and `async for`.

    At most `window` prompts are in memory. Requests start when the iteration does. A completed
    response is written to the file before the next outcome is returned. `close`, the end of a
    `with` block, an interruption and garbage collection cancel the samples in flight.
    """

    def __init__(
        self,
        sample: Callable[[types.ModelInput], APIFuture[types.SampleResponse]],
        prompts: Iterable[types.ModelInput],
        *,
        ordered: bool,
        window: int,
        progress: ProgressCallback | None,
        max_failures: int | None,
        save_to: str | os.PathLike[str] | None,
        call: Mapping[str, Any],
    ) -> None:
        self._sample = sample
        self._prompts = enumerate(_iterate(prompts))
        self._ordered = ordered
        self._window = window
        self._report = progress
        self._max_failures = max_failures
        self._file = None if save_to is None else SampleFile(Path(save_to), call)
        # Prompts whose outcome has not been returned: those in flight, and the outcomes of others.
        self._in_flight: dict[int, _Pending] = {}
        self._outcomes: dict[int, SampleOutcome] = {}
        self._order: deque[int] = deque()
        self._queue: CompletionQueue[int] = CompletionQueue()
        self._end: BaseException | None = None
        self.progress = SampleProgress(
            total=len(prompts) if isinstance(prompts, Sequence) else None
        )
        if self._file is not None and isinstance(prompts, Sequence):
            try:
                _check_prompts(prompts, self._file)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Cancel the samples in flight and close the file. The iteration is then over."""
        self._stop(StopIteration())
        for pending in self._in_flight.values():
            pending.future.cancel()
        self._in_flight.clear()
        self._outcomes.clear()
        self._order.clear()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "progress"):
            self.close()

    def __repr__(self) -> str:
        total = "" if self.progress.total is None else f" of {self.progress.total}"
        return f"<SampleStream {self.progress.completed}{total} completed>"

    def _advance(self) -> SampleOutcome | NotYet:
        try:
            self._collect()
            self._fill()
            ready = self._take()
        except BaseException:
            self.close()
            raise
        if ready is not None:
            return self._returned(ready)
        if self._in_flight:
            return self._queue.not_yet()
        end, self._end = self._end or StopIteration(), StopIteration()
        self.close()
        raise end

    def _fill(self) -> None:
        """Submit prompts until the window is full."""
        while self._end is None and len(self._order) < self._window:
            try:
                index, prompt = next(self._prompts)
            except Exception as error:  # Raised after the outcomes of the earlier prompts.
                self._stop(error)
                return
            self._submit(index, prompt)

    def _submit(self, index: int, prompt: types.ModelInput) -> None:
        digest = ""
        if self._file is not None and isinstance(prompt, types.ModelInput):
            digest = prompt_digest(prompt)
            try:
                stored = self._file.read(index, digest)
            except InvalidInputError as error:
                self._stop(error)
                return
            if stored is not None:
                self._order.append(index)
                self._outcomes[index] = SampleOutcome(index, prompt, stored, stored=True)
                return
        try:
            future = self._sample(prompt)
        except FATAL_ERRORS as error:
            self._stop(error)
        except Exception as error:
            self._order.append(index)
            self._complete(SampleOutcome(index, prompt, error=error), digest)
        else:
            self._order.append(index)
            self._in_flight[index] = _Pending(index, prompt, digest, future)
            self._queue.watch(future, index)

    def _collect(self) -> None:
        """Take over the completed requests and write their responses to the file."""
        while (index := self._queue.take()) is not None:
            pending = self._in_flight.pop(index, None)
            if pending is None:
                continue
            try:
                outcome = SampleOutcome(index, pending.prompt, pending.future.result())
            except (*FATAL_ERRORS, CancelledError) as error:
                self._order.remove(index)
                self._stop(error)
            except Exception as error:
                self._complete(SampleOutcome(index, pending.prompt, error=error), pending.digest)
            else:
                self._complete(outcome, pending.digest)

    def _complete(self, outcome: SampleOutcome, digest: str) -> None:
        self._outcomes[outcome.index] = outcome
        if self._file is not None and (result := outcome.response or outcome.error) is not None:
            self._file.write(outcome.index, digest, result)

    def _take(self) -> SampleOutcome | None:
        """The outcome to return next, if it is ready."""
        if not self._outcomes:
            return None
        index = self._order[0] if self._ordered else next(iter(self._outcomes))
        outcome = self._outcomes.pop(index, None)
        if outcome is not None:
            self._order.remove(index)
        return outcome

    def _returned(self, outcome: SampleOutcome) -> SampleOutcome:
        self.progress = self.progress.after(outcome)
        if self._report is not None:
            self._report(self.progress)
        limit = self._max_failures
        if outcome.error is not None and limit is not None and self.progress.failed > limit:
            self.close()
            raise outcome.error
        return outcome

    def _stop(self, end: BaseException) -> None:
        """Submit no more prompts; raise `end` after the outcomes of those in flight."""
        if self._end is None:
            self._end = end

    def _waiting_for(self) -> APIFuture[Any] | None:
        if self._ordered and self._order[0] in self._in_flight:
            return self._in_flight[self._order[0]].future
        return next(iter(self._in_flight.values())).future

    def _interrupted(self) -> None:
        self.close()


def _iterate(prompts: Iterable[types.ModelInput]) -> Iterator[types.ModelInput]:
    if isinstance(prompts, types.ModelInput | str | bytes) or not isinstance(prompts, Iterable):
        raise InvalidInputError(
            f"expected an iterable of ModelInput, got {type(prompts).__name__}", where="prompts"
        )
    return iter(prompts)


def _check_prompts(prompts: Sequence[types.ModelInput], file: SampleFile) -> None:
    """Compare all prompts with those of the file before any request is sent."""
    for index, prompt in enumerate(prompts):
        if file.has(index) and isinstance(prompt, types.ModelInput):
            file.check_prompt(index, prompt_digest(prompt))


def prompt_digest(prompt: types.ModelInput) -> str:
    """A digest of all chunks of a prompt."""
    text = json.dumps(prompt.to_api().to_dict(), sort_keys=True, default=_as_list)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


class SampleFile:
    """A JSONL file with the results of `sample_many`, from which a later call resumes.

    The first line describes the call, each other line is the result of one prompt:

        {"kind": "samples", "format": 1, "model": "...", "num_samples": 1, "sampling_params": {...}}
        {"index": 0, "prompt": "9f2c...", "response": {"sequences": [...], ...}}
        {"index": 1, "prompt": "77aa...", "error": {"type": "BadRequestError", "message": "..."}}

    Lines are in the order of completion. The next call samples a prompt with an error again and
    appends the result; the last line of an index is valid. Memory: eight bytes per prompt.

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
