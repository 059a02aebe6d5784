"""Samples from any number of prompts with bounded memory: `SamplingClient.sample_many`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from tinker_ext import types
from tinker_ext.clients.sample_file import SampleFile, prompt_digest
from tinker_ext.errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidInputError,
    SessionLostError,
)
from tinker_ext.runtime.concurrency.as_completed import CompletionQueue, FutureIterator, NotYet
from tinker_ext.runtime.concurrency.futures import APIFuture

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

#: Errors that every other prompt would have as well; they end the iteration.
FATAL_ERRORS = (AuthenticationError, ClientClosedError, ConfigurationError, SessionLostError)


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
