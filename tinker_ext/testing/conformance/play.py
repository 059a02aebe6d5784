"""One run of a scenario: its server, its calls through the driver, and its verdicts.

A driver is the process that runs the client under test, one line of JSON per step and result.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotDoneError
from enum import StrEnum
from typing import Any, Self

from attrs import field, frozen, mutable

from tinker_ext.testing.conformance.rules import RULES
from tinker_ext.testing.conformance.server import PROTOCOLS, ScenarioServer
from tinker_ext.testing.messages import Received, Reply

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


#: The key that clients are given. It is long enough that no response contains it by accident.
KEY = "tml-conformance-5b1f0c7d9e"
#: The base model of all scenarios.
MODEL = "fake/model"
#: Seconds between two looks at a condition.
_LOOK_SECONDS = 0.02


class Grade(StrEnum):
    """The result of a check."""

    PASS = "pass"
    FAIL = "fail"
    #: The client does not have the operation.
    UNSUPPORTED = "unsupported"
    #: The grader can't check it here, because a library is missing.
    SKIPPED = "skipped"


@frozen
class Verdict:
    """The grade of one rule under one protocol, with the expected and the received behaviour."""

    rule: str
    protocol: str
    scenario: str
    grade: Grade
    expected: str
    received: str


class UnexpectedSuccessError(Exception):
    """A call that should raise an error succeeded."""


Script = Callable[["Play"], None]


@frozen
class Scenario:
    """A script, the rules that it checks, and the protocols that it can be played with."""

    name: str
    script: Script
    rules: tuple[str, ...]
    protocols: tuple[str, ...]
    flags: dict[str, Any]


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *rules: str, protocols: Sequence[str] = PROTOCOLS, **flags: Any
) -> Callable[[Script], Script]:
    """Decorator: register a script that checks these rules, with these flags of the server."""
    unknown = set(rules) - set(RULES)
    if unknown:
        raise ValueError(f"unknown rules: {', '.join(sorted(unknown))}")

    def register(script: Script) -> Script:
        name = script.__name__
        SCENARIOS[name] = Scenario(name, script, rules, tuple(protocols), flags)
        return script

    return register


@mutable
class Play:
    """What a script acts with.

    Attributes:
        timeout: seconds to wait for one result. It ends a client that hangs; no client is graded
            by its speed.
    """

    scenario: Scenario
    protocol: str
    server: ScenarioServer
    driver: Driver
    timeout: float
    verdicts: list[Verdict] = field(factory=list)
    errors: list[str] = field(factory=list)
    _names: itertools.count[int] = field(factory=lambda: itertools.count(1))

    def call(self, step: str, **fields: Any) -> Call:
        """Start a step and return its call."""
        service = f"{self.scenario.name} {self.protocol}"
        return self.driver.start(step, {"service": service, **fields})

    def run(self, step: str, **fields: Any) -> Any:
        """Run a step and return its result; raises its errors."""
        return self.result(self.call(step, **fields))

    def result(self, call: Call) -> Any:
        """The result of a call; raises its errors."""
        try:
            return call.result(self.timeout)
        except StepError as error:
            self.errors.append(str(error))
            raise

    def error(self, call: Call) -> StepError:
        """The error of a call that must fail.

        Raises:
            UnexpectedSuccessError: it succeeded.
        """
        try:
            result = self.result(call)
        except StepError as error:
            return error
        raise UnexpectedSuccessError(f"{call.step} succeeded with {_short(result)}")

    def open(self) -> None:
        """Open the client of this scenario."""
        self.run("open", base_url=self.server.url, api_key=KEY, protocol=self.protocol)

    def training(self) -> str:
        """Open the client, create a model and return its handle."""
        self.open()
        return self.model()

    def model(self) -> str:
        """Create a model and return its handle."""
        handle = f"training-{next(self._names)}"
        self.run("create_training_client", **{"as": handle}, base_model=MODEL, rank=8)
        return handle

    def sampler(self, **source: Any) -> str:
        """Create a sampling client, by default of the base model, and return its handle."""
        handle = f"sampler-{next(self._names)}"
        source = source or {"base_model": MODEL}
        self.run("create_sampling_client", **{"as": handle}, **source)
        return handle

    def train(self, on: str, data: Sequence[Any] | None = None) -> Call:
        """Start a forward_backward with one datum, or these."""
        data = [datum()] if data is None else data
        return self.call("forward_backward", on=on, data=data, loss_fn="cross_entropy")

    def update(self, on: str) -> Call:
        """Start an optim_step."""
        return self.call("optim_step", on=on, learning_rate=0.001)

    def sample(self, on: str, **options: Any) -> Call:
        """Start a sample of three tokens."""
        fields = {"prompt": [1, 2, 3], "max_tokens": 3, "num_samples": 1, **options}
        return self.call("sample", on=on, **fields)

    def change_results(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Let the server change its results that have a field of this name."""

        def changed(received: Received) -> Reply:
            result = self.server.results.get(str(received.body.get("request_id")))
            if not isinstance(result, dict) or name not in result:
                return self.server.process(received)
            return self.server.encoded(received, change(result))

        self.server.hooks["retrieve_future"] = changed

    def wait_until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a condition holds, at most `timeout` seconds; return whether it does."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not condition():
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def check(self, rule: str, passed: bool, *, expected: str, received: object) -> None:
        """Record a verdict."""
        grade = Grade.PASS if passed else Grade.FAIL
        self._add(rule, grade, expected, str(received))

    def skip(self, rule: str, reason: str) -> None:
        """Record that a rule can't be checked."""
        self._add(rule, Grade.SKIPPED, "", reason)

    def perform(self) -> None:
        """Run the script; every rule of the scenario has a verdict afterwards."""
        try:
            self.scenario.script(self)
        except UnsupportedError as missing:
            self.end(Grade.UNSUPPORTED, str(missing))
        except (StepError, HungError, UnexpectedSuccessError) as error:
            self.end(Grade.FAIL, str(error))

    def end(self, grade: Grade, reason: str) -> None:
        """Give every rule without a verdict this grade, because the script has ended early."""
        judged = {verdict.rule for verdict in self.verdicts}
        for rule in self.scenario.rules:
            if rule not in judged:
                self._add(rule, grade, RULES[rule].statement, reason)

    def _add(self, rule: str, grade: Grade, expected: str, received: str) -> None:
        if rule not in self.scenario.rules:
            raise ValueError(f"{self.scenario.name} does not announce {rule}")
        verdict = Verdict(
            rule, self.protocol, self.scenario.name, grade, expected, _short(received)
        )
        self.verdicts.append(verdict)


def datum(tokens: Sequence[int] = (1, 2, 3), **changes: Any) -> dict[str, Any]:
    """A datum in the form of the driver protocol."""
    targets = [token + 1 for token in tokens]
    weights = [1.0] * len(tokens)
    return {"tokens": list(tokens), "target_tokens": targets, "weights": weights, **changes}


def gaps(times: Iterable[tuple[float | None, float]]) -> list[float]:
    """Seconds between each response and the next request, from pairs of (responded, arrived)."""
    return [arrived - responded for responded, arrived in times if responded is not None]


def _short(value: object) -> str:
    text = " ".join(str(value).replace(KEY, "THE-KEY").split())
    return text if len(text) <= 200 else f"{text[:200]}..."
