"""A driver: the process that runs the client under test, one line of JSON per step and result."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotDoneError
from typing import Any, Self

from attrs import frozen

#: Seconds for a driver to start: it imports its client on a machine that may be busy.
START_SECONDS = 120.0
#: Seconds for a driver to end after its input is closed, before it is killed.
END_SECONDS = 2.0
#: Lines of the driver's standard error that are kept.
_KEPT_LINES = 2000


class DriverError(Exception):
    """The driver ended or does not follow the protocol."""


class StepError(Exception):
    """A step raised an error of the client. `fields` are those that the driver reports."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(f"{fields.get('type', 'error')}: {fields.get('message', '')}")
        self.fields = fields

    @property
    def message(self) -> str:
        return str(self.fields.get("message", ""))


class UnsupportedError(Exception):
    """The client does not have the operation of a step."""


class HungError(Exception):
    """A step had no result in time."""


@frozen
class Call:
    """A step that was started, and its future result."""

    id: int
    step: str
    _future: Future[dict[str, Any]]
    _unread: Sequence[str] = ()

    def result(self, timeout: float) -> Any:
        """The result of the step.

        Raises:
            StepError: the client raised an error.
            UnsupportedError: the client does not have this operation.
            HungError: there was no result within `timeout` seconds.
            DriverError: the driver ended.
        """
        try:
            line = self._future.result(timeout)
        except NotDoneError:
            reason = f"{self.step}: no result in {timeout:g} s"
            if self._unread:
                reason += f"; the driver wrote a line that is not JSON: {self._unread[-1][:80]!r}"
            raise HungError(reason) from None
        if "unsupported" in line:
            raise UnsupportedError(f"{self.step}: {line['unsupported']}")
        if "error" in line:
            raise StepError(line["error"])
        return line.get("ok", {})

    @property
    def done(self) -> bool:
        return self._future.done()


class Driver:
    """The process of a driver. Its methods may be called from several threads."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._greeting: Future[dict[str, Any]] = Future()
        self._log: deque[str] = deque(maxlen=_KEPT_LINES)
        self._unread: list[str] = []
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._result_reader = threading.Thread(target=self._read_results, daemon=True)
        self._log_reader.start()
        self._result_reader.start()

    def greeting(self) -> dict[str, Any]:
        """The first line of the driver: the client's name and its protocols.

        Raises:
            DriverError: the driver ended, or its first line is something else.
        """
        try:
            greeting = self._greeting.result(START_SECONDS)
        except NotDoneError:
            raise DriverError(f"the driver printed nothing in {START_SECONDS:g} s") from None
        if not isinstance(greeting.get("client"), str):
            raise DriverError('the first line has no "client", the name of the client')
        return greeting

    @property
    def log(self) -> str:
        """The last lines of the driver's standard error."""
        return "".join(list(self._log))

    def start(self, step: str, fields: Mapping[str, Any]) -> Call:
        """Write a step and return its call."""
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._ids)
            self._waiting[number] = future
            line = json.dumps({"id": number, "do": step, **fields})
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            except OSError:
                self._fail(DriverError(self._why_ended()))
        return Call(number, step, future, self._unread)

    def close(self) -> None:
        """Close the driver's input and end it."""
        with self._lock:
            try:
                assert self._process.stdin is not None
                self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._result_reader.join(END_SECONDS)
        self._log_reader.join(END_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_results(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if not isinstance(line, dict):
                self._unread.append(text)
                self._log.append(f"not JSON on standard output: {text}")
            elif not self._greeting.done():
                self._greeting.set_result(line)
            elif (future := self._waiting.pop(line.get("id", 0), None)) is not None:
                future.set_result(line)
        self._process.wait()
        self._fail(DriverError(self._why_ended()))

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:  # one at a time, for readers of the log meanwhile
            self._log.append(line)

    def _fail(self, error: DriverError) -> None:
        for future in (self._greeting, *list(self._waiting.values())):
            with contextlib.suppress(InvalidStateError):  # it has a result
                future.set_exception(error)

    def _why_ended(self) -> str:
        """The status and the last line of standard error, once both are there."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._log_reader.join(END_SECONDS)
        last = self.log.strip().splitlines()[-1:] or ["no message"]
        return f"the driver ended with status {self._process.poll()}: {last[0]}"
