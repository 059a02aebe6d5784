"""One run of a scenario: its server, its calls through the driver, and its verdicts."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

from attrs import field, frozen, mutable

from tinker_ext.testing.conformance.process import (
    Call,
    Driver,
    HungError,
    StepError,
    UnsupportedError,
)
from tinker_ext.testing.conformance.rules import RULES
from tinker_ext.testing.conformance.server import PROTOCOLS, ScenarioServer
from tinker_ext.testing.messages import Received, Reply

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
        return self.driver.start(step, {"service": self._service, **fields})

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

    @property
    def _service(self) -> str:
        return f"{self.scenario.name} {self.protocol}"

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
