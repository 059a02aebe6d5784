"""Runs ports/conformance/vectors, which also test clients in other languages."""

from __future__ import annotations

import base64
import json
import math
import pkgutil
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from attrs import evolve
from tinker_api.proto import tinker_public_pb2 as messages

import tinker_ext
from conformance.interop.request_vectors import OPERATIONS
from tests.builders import web_token
from tinker_ext import errors, protocol, rules, tokenizers, types
from tinker_ext.errors import RequestErrorCategory
from tinker_ext.protocol import adaptation, error_responses, server_protocol
from tinker_ext.protocol.server_protocol import DynamicFlags, Flags
from tinker_ext.redaction import redactor
from tinker_ext.rules import (
    chunking,
    circuit,
    completions,
    datum_index,
    hashing,
    limits,
    outputs,
    polling,
    retry,
    token_validity,
)
from tinker_ext.testing import Reply
from tinker_ext.testing.conformance import driver
from tinker_ext.testing.conformance.server import ScenarioServer

VECTORS = Path(__file__).parents[3] / "ports" / "conformance" / "vectors"


def load(name: str, part: str = "cases") -> list[Any]:
    """Returns the cases of a file, completed by its defaults, as parameters with ids."""
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    cases = [content.get("defaults", {}) | case for case in content[part]]
    return [pytest.param(case, id=str(case.get("name", case))) for case in cases]


def number(value: Any) -> Any:
    """Parses a number of the vectors, which write NaN, infinities and large integers as text."""
    if not isinstance(value, str):
        return value
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else int(value)


def same(actual: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        if math.isnan(expected):
            return isinstance(actual, float) and math.isnan(actual)
        return math.isclose(actual, expected, rel_tol=1e-12, abs_tol=1e-15)
    return bool(actual == expected)


def test_every_list_of_every_file_is_run_and_names_its_rule() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for file in VECTORS.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        lists = [name for name, value in content.items() if isinstance(value, list)]
        for name in set(lists) - {"rules", "cases"}:
            assert f'load("{file.name}", "{name}")' in source
        assert ("cases" in content) == (f'load("{file.name}")' in source)
        for rule in rules_of(content):
            assert callable(pkgutil.resolve_name(f"tinker_ext.{rule}")), rule


@pytest.mark.parametrize("package", [rules, protocol])
def test_every_module_of_the_package_has_vectors(package: Any) -> None:
    prefix = package.__name__.removeprefix("tinker_ext.")
    modules = {f"{prefix}.{file.stem}" for file in Path(package.__file__).parent.glob("*.py")}
    contents = (json.loads(file.read_text(encoding="utf-8")) for file in VECTORS.glob("*.json"))
    tested = {rule.rpartition(".")[0] for content in contents for rule in rules_of(content)}
    assert modules - {f"{prefix}.__init__"} <= tested


def rules_of(content: dict[str, Any]) -> list[str]:
    return content.get("rules") or [content["rule"]]


def failure_of(case: dict[str, Any]) -> retry.Failure:
    fields = case["failure"]
    return retry.Failure(
        status=fields.get("status"),
        headers=fields.get("headers", {}),
        fault=retry.TransportFault(fields["fault"]) if "fault" in fields else None,
        category=RequestErrorCategory(fields["category"]) if "category" in fields else None,
        identical=fields.get("identical", 0),
    )


def with_parsed_headers(failure: retry.Failure, now: float) -> retry.Failure:
    """The same failure as an error of the client reports it, without the headers."""
    return evolve(
        failure,
        headers={},
        retry_after=retry.retry_after_seconds(failure.headers, now),
        should_retry=retry.parse_should_retry(failure.headers),
    )


@pytest.mark.parametrize("case", load("retry.json"))
def test_retry_decision(case: dict[str, Any]) -> None:
    def decide(failure: retry.Failure) -> retry.Decision:
        return retry.decide(
            failure,
            policy=retry.RetryPolicy(**case.get("policy", {})),
            attempt=case["attempt"],
            elapsed=case["elapsed"],
            now=case["now"],
            jitter=case["jitter"],
            resumed=case["resumed"],
        )

    decision = decide(failure_of(case))
    assert decide(with_parsed_headers(failure_of(case), case["now"])) == decision
    absent = {"server_delay": False, "shared": False, "same_responses": False}
    expected = absent | case["expect"]
    assert decision.delay == pytest.approx(expected.pop("delay"), rel=1e-12)
    assert {name: getattr(decision, name) for name in expected} == expected
    assert decision.reason


@pytest.mark.parametrize("case", load("retry.json", "within"))
def test_limited_retry_policy(case: dict[str, Any]) -> None:
    policy = retry.RetryPolicy(**case["policy"])
    assert policy.within(case["seconds"]) == retry.RetryPolicy(**case["expect"])


@pytest.mark.parametrize("case", load("retry_after.json"))
def test_retry_after(case: dict[str, Any]) -> None:
    seconds = retry.retry_after_seconds(case["headers"], case["now"])
    assert seconds == (None if case["expect"] is None else pytest.approx(case["expect"]))


@pytest.mark.parametrize("case", load("chunking.json"))
def test_chunking(case: dict[str, Any]) -> None:
    runs = chunking.split(case["sizes"], max_items=case["max_items"], max_size=case["max_size"])
    assert [[run.start, run.stop] for run in runs] == case["expect"]


CHUNKS = {
    "encoded_text": types.EncodedTextChunk,
    "image": types.ImageChunk,
    "image_asset_pointer": types.ImageAssetPointerChunk,
}


def model_input_of(content: dict[str, Any]) -> types.ModelInput:
    chunks = [dict(chunk) for chunk in content["chunks"]]
    return types.ModelInput([CHUNKS[chunk.pop("type")](**chunk) for chunk in chunks])


@pytest.mark.parametrize("case", load("chunking.json", "size"))
def test_datum_size(case: dict[str, Any]) -> None:
    inputs = case["datum"]["loss_fn_inputs"]
    datum = types.Datum(
        model_input=model_input_of(case["datum"]["model_input"]),
        loss_fn_inputs={name: types.TensorData(**tensor) for name, tensor in inputs.items()},
    )
    assert types.number_count(datum) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json"))
def test_datum_index_in_text(case: dict[str, Any]) -> None:
    assert datum_index.text_in_batch(case["text"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json", "bodies"))
def test_datum_index_in_body(case: dict[str, Any]) -> None:
    assert datum_index.body_in_batch(case["body"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json", "paths"))
def test_datum_index_in_path(case: dict[str, Any]) -> None:
    assert datum_index.path_in_batch(case["path"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("seq_ids.json", "is_reusable"))
def test_seq_id_is_reusable(case: dict[str, Any]) -> None:
    assert error_responses.is_reusable(case["status"]) is case["expect"]


@pytest.mark.parametrize("case", load("seq_ids.json", "expected_seq_id"))
def test_expected_seq_id(case: dict[str, Any]) -> None:
    assert error_responses.expected_seq_id(case["message"]) == case["expect"]


@pytest.mark.parametrize("case", load("metrics.json"))
def test_metrics(case: dict[str, Any]) -> None:
    parts = [({key: number(v) for key, v in values.items()}, w) for values, w in case["parts"]]
    reduced = outputs.reduce_metrics(parts)
    expected = {key: number(value) for key, value in case["expect"].items()}
    assert set(reduced) == set(expected)
    for key, value in expected.items():
        assert same(reduced[key], value), key


@pytest.mark.parametrize("case", load("hashing.json"))
def test_hashing(case: dict[str, Any]) -> None:
    values = [number(value) for value in case["values"]]
    assert hashing.hash_unordered(values) == int(case["expect"]["hash_unordered"])
    assert hashing.hash2(values) == int(case["expect"]["hash2"])


@pytest.mark.parametrize("case", load("outputs.json"))
def test_outputs(case: dict[str, Any]) -> None:
    parts = [SimpleNamespace(**part) for part in case["parts"]]
    combined = outputs.combine_outputs(parts, datum_counts=case.get("datum_counts"))
    assert {name: getattr(combined, name) for name in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", load("circuit.json", "admit"))
def test_circuit_admits(case: dict[str, Any]) -> None:
    state = circuit.Circuit(**case["circuit"])
    after, wait = circuit.admit(state, case["now"], case["cooldown"])
    assert {"circuit": attrs.asdict(after), "wait": wait} == case["expect"]


@pytest.mark.parametrize("case", load("circuit.json", "record"))
def test_circuit_records(case: dict[str, Any]) -> None:
    state = circuit.Circuit(**case["circuit"])
    after = circuit.record(state, case["failed"], case["now"], case["limit"])
    assert attrs.asdict(after) == case["expect"]


@pytest.mark.parametrize("case", load("circuit.json", "is_outage"))
def test_circuit_counts_failure(case: dict[str, Any]) -> None:
    failure = failure_of(case)
    assert circuit.is_outage(failure, now=0.0) is case["expect"]
    assert circuit.is_outage(with_parsed_headers(failure, 0.0), now=0.0) is case["expect"]


def test_circuit_uses_a_delay_that_is_already_parsed() -> None:
    assert circuit.is_outage(retry.Failure(status=503, retry_after=2.0), now=0.0) is False


@pytest.mark.parametrize("case", load("limits.json", "admit"))
def test_admit(case: dict[str, Any]) -> None:
    budget = limits.Budget(case["limit"], sum(case["held"]), len(case["held"]))
    admitted = limits.admit(budget, case["waiting"])
    assert admitted == case["expect"]
    sizes = [*case["held"], *case["waiting"][:admitted]]
    for count, size in enumerate(sizes):
        assert budget == limits.Budget(case["limit"], sum(sizes[count:]), len(sizes) - count)
        budget.give(size)
    assert budget == limits.Budget(case["limit"])


@pytest.mark.parametrize("case", load("limits.json", "restart_delay"))
def test_restart_delay(case: dict[str, Any]) -> None:
    burst = case.get("burst", limits.RESTART_REQUESTS)
    delay = limits.restart_delay(case["position"], case["paused"], burst)
    assert delay == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("limits.json", "restart_backoff"))
def test_restart_backoff(case: dict[str, Any]) -> None:
    delay = limits.restart_backoff(case["failures"], case["paused"], case["jitter"])
    assert delay == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("limits.json", "restart_failures"))
def test_restart_failures(case: dict[str, Any]) -> None:
    failures = limits.restart_failures(
        case["failures"], case["started"], case["rejected"], case["paused"]
    )
    assert failures == case["expect"]


@pytest.mark.parametrize("case", load("limits.json", "restart_burst"))
def test_restart_burst(case: dict[str, Any]) -> None:
    assert limits.restart_burst(case["started"], case["rejected"]) == case["expect"]


@pytest.mark.parametrize("case", load("limits.json", "prompt_bytes"))
def test_prompt_bytes(case: dict[str, Any]) -> None:
    assert limits.prompt_bytes(model_input_of(case["prompt"])) == case["expect"]


OUTCOMES = {
    polling.Ready: "ready",
    polling.TryAgain: "try_again",
    polling.MetadataOnly: "metadata_only",
    polling.Gone: "gone",
    polling.Failed: "failed",
    polling.Refused: "refused",
    polling.Retry: "retry",
    polling.Malformed: "malformed",
}


@pytest.mark.parametrize("case", load("polling.json", "classify"))
def test_poll_outcome(case: dict[str, Any]) -> None:
    outcome = polling.classify(case["status"], case["body"])
    expected = dict(case["expect"])
    assert OUTCOMES[type(outcome)] == expected.pop("outcome")
    assert {name: getattr(outcome, name) for name in expected} == expected
    if isinstance(outcome, polling.Ready):
        assert outcome.body == case["body"]
    if isinstance(outcome, polling.Failed | polling.Refused | polling.Retry):
        assert outcome.status == case["status"]


def outcome_of(case: dict[str, Any]) -> polling.PollOutcome:
    response = case["response"]
    if response is None:
        return polling.Retry(None)
    return polling.classify(response["status"], response["body"])


@pytest.mark.parametrize("case", load("polling.json", "poll_delay"))
def test_poll_delay(case: dict[str, Any]) -> None:
    delay = polling.poll_delay(
        outcome_of(case),
        case["consecutive"],
        case["jitter"],
        held=case["held"],
        server_delay=case.get("server_delay"),
    )
    assert delay == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("polling.json", "should_poll_again"))
def test_should_poll_again(case: dict[str, Any]) -> None:
    optional = {"window": case["window"]} if "window" in case else {}
    again = polling.should_poll_again(
        outcome_of(case), case["consecutive"], streak=case["streak"], **optional
    )
    assert again is case["expect"]


@pytest.mark.parametrize("case", load("errors.json", "status_error"))
def test_status_error(case: dict[str, Any]) -> None:
    error = errors.status_error(case["status"], headers={}, body=None, operation=None)
    assert type(error).__name__ == case["expect"]


@pytest.mark.parametrize("case", load("errors.json", "category"))
def test_category(case: dict[str, Any]) -> None:
    assert RequestErrorCategory.parse(case["value"]).value == case["expect"]


@pytest.mark.parametrize("case", load("errors.json", "server_words"))
def test_server_words(case: dict[str, Any]) -> None:
    assert redactor.server_words(case["body"]) == case["expect"]


def token_of(case: dict[str, Any]) -> str:
    if "token" in case:
        return str(case["token"])
    return web_token(case["payload"])


@pytest.mark.parametrize("case", load("token_validity.json", "read_times"))
def test_token_times(case: dict[str, Any]) -> None:
    assert token_validity.read_times(token_of(case)) == token_validity.Validity(**case["expect"])


@pytest.mark.parametrize("case", load("token_validity.json", "lifetime"))
def test_token_lifetime(case: dict[str, Any]) -> None:
    validity = token_validity.Validity(case["issued"], case["expires"])
    assert token_validity.lifetime(validity, case["now"]) == case["expect"]


@pytest.mark.parametrize("case", load("token_validity.json", "is_usable_and_is_alive"))
def test_token_is_usable_and_is_alive(case: dict[str, Any]) -> None:
    age, lifetime = case["age"], case["lifetime"]
    assert token_validity.is_usable(age, lifetime) == case["expect"]["usable"]
    assert token_validity.is_alive(age, lifetime) == case["expect"]["alive"]


@pytest.mark.parametrize("case", load("token_validity.json", "refresh_delay"))
def test_token_refresh_delay(case: dict[str, Any]) -> None:
    delay = token_validity.refresh_delay(case["lifetime"], case["jitter"])
    assert delay == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("token_validity.json", "is_invalid_token"))
def test_response_rejects_token(case: dict[str, Any]) -> None:
    assert token_validity.is_invalid_token(case["status"], case["headers"]) == case["expect"]


@pytest.mark.parametrize("case", load("token_validity.json", "should_renegotiate"))
def test_should_renegotiate(case: dict[str, Any]) -> None:
    again = token_validity.should_renegotiate(
        case["status"],
        case["headers"],
        negotiated=case["negotiated"],
        renegotiated=case["renegotiated"],
    )
    assert again is case["expect"]


@pytest.mark.parametrize("case", load("token_validity.json", "has_expired"))
def test_key_has_expired(case: dict[str, Any]) -> None:
    assert token_validity.has_expired(token_of(case), case["now"]) == case["expect"]


SETS = (
    "other_images",
    "accepted",
    "required_fields",
    "rejected_fields",
    "missing_operations",
)


def protocol_of(changes: dict[str, Any]) -> server_protocol.ServerProtocol:
    """Returns the baseline protocol with the changes that a case lists."""
    fields: dict[str, Any] = {
        name: frozenset(value) if name in SETS else value for name, value in changes.items()
    }
    if "flags" in fields:
        fields["flags"] = Flags.read(fields["flags"])
    return evolve(server_protocol.BASELINE, **fields)


def changes_of(protocol: server_protocol.ServerProtocol, changes: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that differ from those of `protocol_of(changes)`, as a case lists them."""
    before = protocol_of(changes)
    return {
        name: sorted(value) if name in SETS else value
        for name in attrs.fields_dict(server_protocol.ServerProtocol)
        if (value := getattr(protocol, name)) != getattr(before, name)
    }


@pytest.mark.parametrize("case", load("server_protocol.json", "from_client_config"))
def test_protocol_from_client_config(case: dict[str, Any]) -> None:
    actual = server_protocol.from_client_config(case["config"], case["dynamic"])
    assert actual.flags is not None
    assert evolve(actual, flags=None, dynamic=server_protocol.BASELINE.dynamic) == protocol_of(
        case["expect"]
    )
    for name, value in case.get("flags", {}).items():
        assert getattr(actual.flags, name) == value
    expected = DynamicFlags.read({})
    assert actual.dynamic == evolve(expected, **case.get("dynamic_flags", {}))


@pytest.mark.parametrize("case", load("server_protocol.json", "questions"))
def test_protocol_decides_how_an_operation_is_sent(case: dict[str, Any]) -> None:
    protocol, operation, expected = protocol_of(case["protocol"]), case["operation"], case["expect"]
    assert protocol.form_of(operation) == expected["form"]
    assert protocol.images_of(operation) == expected["images"]
    assert protocol.sparse_in(operation) is expected["sparse"]
    assert protocol.supports(operation) is expected["supported"]
    assert sorted(protocol.required_fields_of(operation)) == expected["required_fields"]
    assert sorted(protocol.rejected_fields_of(operation)) == expected["rejected_fields"]
    for name in (*expected["required_fields"], "unknown"):
        assert protocol.sends(operation, name) is (name != "unknown")


def replay(case: dict[str, Any]) -> dict[str, Any]:
    """Plays the responses of a case: the requests that are sent, and what the client learns.

    `Adapter` calls the same rules in the same order.
    """
    operation, known = case["operation"], protocol_of(case["protocol"])
    attempt = adaptation.first_attempt(known, operation)
    requests, limits, reported, trial_after = [], [], None, 0
    for index, response in enumerate(case["responses"]):
        attempt = adaptation.with_known(attempt, known, operation)
        requests.append(changes_of(attempt.protocol, case["protocol"]))
        limits.append(adaptation.server_error_attempts(attempt))
        if "meanwhile" in response:
            known = protocol_of(case["protocol"] | response["meanwhile"])
        status, body = response["status"], response.get("body")
        if status == 200:
            known = adaptation.after_success(attempt, known, operation)
            break
        known = adaptation.learn_from_error(known, operation, status, body)
        final = response.get("final", False)
        again = adaptation.after_error(attempt, known, operation, status, body, final=final)
        if again is None:
            first_body = case["responses"][trial_after].get("body")
            is_first = adaptation.reports_first_error(attempt, first_body, status, body)
            reported = trial_after if is_first else index
            break
        if again.first_status is not None and attempt.first_status is None:
            trial_after = index
        attempt = again
    assert len(requests) == len(case["responses"]), "not every response was used"
    learned = changes_of(known, case["protocol"])
    return {"requests": requests, "limits": limits, "reported": reported, "learned": learned}


@pytest.mark.parametrize("case", load("adaptation.json", "calls"))
def test_call_adapts_to_responses(case: dict[str, Any]) -> None:
    assert replay(case) == case["expect"]


@pytest.mark.parametrize("case", load("adaptation.json", "error_bodies"))
def test_error_body(case: dict[str, Any]) -> None:
    status, body = case["status"], case["body"]
    assert case["expect"] == {
        "missing": sorted(error_responses.missing_fields(body)),
        "unknown": sorted(error_responses.unknown_fields(body)),
        "unknown_at_top": sorted(error_responses.unknown_fields(body, at_top=True)),
        "unreadable": error_responses.is_unreadable_body(status, body),
        "no_message": error_responses.has_no_message(body),
        "no_such_operation": error_responses.no_such_operation(status, body),
    }


@pytest.mark.parametrize("case", load("adaptation.json", "after_negotiation"))
def test_accepted_forms_outlast_negotiation(case: dict[str, Any]) -> None:
    known, negotiated = protocol_of(case["known"]), protocol_of(case["negotiated"])
    learned = adaptation.after_negotiation(known, negotiated)
    assert changes_of(learned, case["negotiated"]) == case["expect"]


@pytest.mark.parametrize("case", load("server_protocol.json", "drop_default_fields"))
def test_rejected_fields_with_default_values_are_dropped(case: dict[str, Any]) -> None:
    assert server_protocol.drop_default_fields(case["body"], case["rejected"]) == case["expect"]


@pytest.mark.parametrize("case", load("hints.json"))
def test_hint_for_unsupported_request(case: dict[str, Any]) -> None:
    hint = error_responses.advice(
        case["operation"], case["status"], case["body"], server_protocol.BASELINE
    )
    if case["expect"] is None:
        assert hint is None
    else:
        assert all(words in str(hint) for words in case["expect"])


@pytest.mark.parametrize("case", load("hints.json", "is_lost"))
def test_error_about_a_lost_model_or_session(case: dict[str, Any]) -> None:
    assert error_responses.is_lost(case["operation"], case["body"]) is case["expect"]


@pytest.mark.parametrize("case", load("hints.json", "restriction"))
def test_hint_for_a_restriction(case: dict[str, Any]) -> None:
    hint = error_responses.restriction(case["operation"], case["body"])
    if case["expect"] is None:
        assert hint is None
    else:
        assert all(words in str(hint) for words in case["expect"])


@pytest.mark.parametrize("case", load("completions.json", "parse_completed_requests"))
def test_completed_requests(case: dict[str, Any]) -> None:
    expected = None if case["expect"] is None else completions.CompletedRequests(**case["expect"])
    assert completions.parse_completed_requests(case["body"]) == expected


@pytest.mark.parametrize("case", load("completions.json", "is_tolerated"))
def test_rejected_poll_is_tolerated(case: dict[str, Any]) -> None:
    assert completions.is_tolerated(case["status"], case["consecutive"]) is case["expect"]


@pytest.mark.parametrize("case", load("completions.json", "first_seq_id"))
def test_first_seq_id_of_joining_client(case: dict[str, Any]) -> None:
    assert completions.first_seq_id(case["counter"]) == case["expect"]


@pytest.mark.parametrize("case", load("paths.json"))
def test_path(case: dict[str, Any]) -> None:
    try:
        parsed = types.ParsedCheckpointTinkerPath.from_tinker_path(case["path"])
    except errors.InvalidInputError:
        assert case["expect"] is None
    else:
        assert {name: getattr(parsed, name) for name in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", load("tokenizers.json"))
def test_tokenizer_sources(case: dict[str, Any]) -> None:
    sources = tokenizers.tokenizer_sources(case["model"], case["tokenizer_id"])
    assert [attrs.asdict(source) for source in sources] == case["expect"]


def tensor_of(tensor: dict[str, Any]) -> types.TensorData:
    return types.TensorData(**{**tensor, "data": [number(value) for value in tensor["data"]]})


def datum_of(content: dict[str, Any], where: str) -> types.Datum:
    """A datum; errors name their path in the data, without the fields of tensors and chunks."""

    def build(make: Any, path: str) -> Any:
        try:
            return make()
        except errors.InvalidInputError as error:
            field = re.sub(r"^(tokens|data|shape)", "", error.where or "")
            raise errors.InvalidInputError("invalid", where=f"{where}.{path}{field}") from error

    chunks = [
        build(partial(types.EncodedTextChunk, tokens=chunk["tokens"]), f"model_input.chunks[{at}]")
        for at, chunk in enumerate(content["model_input"]["chunks"])
    ]
    inputs = {
        name: build(partial(tensor_of, tensor), f"loss_fn_inputs.{name}")
        for name, tensor in content["loss_fn_inputs"].items()
    }
    return types.Datum(model_input=types.ModelInput(chunks=chunks), loss_fn_inputs=inputs)


@pytest.mark.parametrize("case", load("input.json"))
def test_input(case: dict[str, Any]) -> None:
    where = None
    try:
        data = [datum_of(content, f"data[{at}]") for at, content in enumerate(case["data"])]
        types.validate_data(data, loss_fn=case["loss_fn"])
    except errors.InvalidInputError as error:
        where = re.sub(r"\['(\w+)'\]", r".\1", error.where or "")
    assert where == case["expect"]


class Setup:
    """A server of one protocol, and this client as the driver of the grader uses it."""

    def __init__(self, protocol: str) -> None:
        self.server = ScenarioServer(protocol)
        self.driver = driver.Service(tinker_ext, types, lambda step, **result: None)
        self.perform({"do": "open", "base_url": self.server.url, "api_key": "tml-vectors"})

    def perform(self, step: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The result of a step, and its requests."""
        before = len(self.server.exchanges(*OPERATIONS))
        result = self.driver.perform({"id": 0, "service": "", **step})
        return result, self.server.exchanges(*OPERATIONS)[before:]

    def close(self) -> None:
        self.driver.service.close()
        self.server.close()


def missing(expected: Any, actual: Any, where: str, optional: dict[str, Any]) -> list[str]:
    """The places where a body differs from the expected one, beside its optional fields."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        more = {f"{where}{name}": value for name, value in actual.items() if name not in expected}
        surplus = [name for name, value in more.items() if optional.get(name, value) != value]
        unknown = [name for name in more if name not in optional]
        inner = [
            place
            for name, value in expected.items()
            for place in missing(value, actual.get(name), f"{where}{name}.", optional)
        ]
        return [*surplus, *unknown, *inner]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [
            place
            for at, (one, two) in pairs
            for place in missing(one, two, f"{where}{at}.", optional)
        ]
    return [] if expected == actual else [where.removesuffix(".")]


@pytest.mark.parametrize("protocol", ["0.4.1", "0.38.0"])
def test_requests(protocol: str) -> None:
    cases = [value for (value,) in (case.values for case in load("requests.json"))]
    setup = Setup(protocol)
    opening, first, *others = [case for case in cases if case["protocol"] == protocol]
    # This client creates its session with the first model.
    requests = [
        ([request], case)
        for request, case in zip(setup.perform(first["step"])[1], (opening, first), strict=True)
    ]
    requests += [(setup.perform(case["step"])[1], case) for case in others]
    for received, case in requests:
        [request] = received
        expected = case["expect"]
        assert f"/api/v1/{request.received.path}" == expected["path"]
        assert expected.get("content_type", "application/json") in request.content_type
        body = {k: v for k, v in request.body.items() if k not in case["free"]}
        assert missing(expected["body"], body, "", expected["optional"]) == [], case["name"]
        if "message" in expected:
            message = messages.ForwardBackwardRequest.FromString
            assert message(request.content) == message(base64.b64decode(expected["message"]))
    setup.close()


@pytest.mark.parametrize("protocol", ["0.4.1", "0.38.0"])
def test_responses(protocol: str) -> None:
    setup = Setup(protocol)
    setup.perform({"do": "create_training_client", "as": "t", "base_model": "m", "rank": 8})
    setup.perform({"do": "create_sampling_client", "as": "s", "base_model": "m"})
    for case in (case for (case,) in (case.values for case in load("responses.json"))):
        if case["protocol"] != protocol:
            continue
        if "message" in case:
            kind = {"content-type": "application/x-protobuf"}
            reply = Reply(200, base64.b64decode(case["message"]), kind)
        else:
            reply = Reply(200, case["text"], {"content-type": "application/json"})
        setup.server.respond_always("retrieve_future", reply)
        on = "s" if case["call"]["do"] == "sample" else "t"
        try:
            result = setup.perform({"on": on, **case["call"]})[0]
        except errors.APIResponseValidationError:
            result = None
        expected = case["expect"]
        if expected is not None and "metrics" in expected:
            metrics = {name: number(value) for name, value in expected["metrics"].items()}
            expected = {**expected, "metrics": metrics}
            for name, value in metrics.items():
                assert same(result["metrics"].pop(name), value), case["name"]
            assert result["metrics"] == {}
            expected["metrics"] = {}
        assert result == expected, case["name"]
    setup.close()
