"""The rules give the answers of ports/conformance/vectors, which other languages test with too."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from tests.web_tokens import web_token
from tinker_ext import errors, rules, types
from tinker_ext.errors import RequestErrorCategory
from tinker_ext.protocol import conflicts, hints, seq_ids, server_protocol
from tinker_ext.redaction import redactor
from tinker_ext.rules import (
    chunking,
    completions,
    datum_index,
    hashing,
    limits,
    metrics,
    outputs,
    polling,
    retry,
    token_validity,
)

VECTORS = Path(__file__).parents[3] / "ports" / "conformance" / "vectors"


def load(name: str, part: str = "cases") -> list[Any]:
    """The cases of a file, its defaults filled in, as parameters named like them."""
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    cases = [content.get("defaults", {}) | case for case in content[part]]
    return [pytest.param(case, id=str(case.get("name", case))) for case in cases]


def number(value: Any) -> Any:
    """A number as the vectors write it: texts stand for NaN, infinities and large integers."""
    if not isinstance(value, str):
        return value
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else int(value)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        if math.isnan(expected):
            return isinstance(found, float) and math.isnan(found)
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)
    return bool(found == expected)


def test_every_list_of_every_file_is_run_and_names_its_rule() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for file in VECTORS.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        lists = [name for name, value in content.items() if isinstance(value, list)]
        for name in set(lists) - {"rules", "cases"}:
            assert f'load("{file.name}", "{name}")' in source
        assert ("cases" in content) == (f'load("{file.name}")' in source)
        for rule in content.get("rules") or [content["rule"]]:
            assert callable(named(rule)), rule


def named(rule: str) -> object:
    """What a file calls its rule: `module.function`, or `module.Class.method`."""
    module, *names = rule.split(".")
    is_rule = (Path(rules.__file__).parent / f"{module}.py").exists()
    result: object = import_module(f"tinker_ext.{'rules.' if is_rule else ''}{module}")
    for name in names:
        result = getattr(result, name)
    return result


def test_every_module_of_rules_has_vectors() -> None:
    modules = {file.stem for file in Path(rules.__file__).parent.glob("*.py")}
    # The dialect's vectors go through these two.
    modules -= {"__init__", "flags", "refusals"}
    assert modules <= {file.stem for file in VECTORS.glob("*.json")}


def failure_of(case: dict[str, Any]) -> retry.Failure:
    told = case["failure"]
    return retry.Failure(
        status=told.get("status"),
        headers=told.get("headers", {}),
        fault=retry.TransportFault(told["fault"]) if "fault" in told else None,
        category=RequestErrorCategory(told["category"]) if "category" in told else None,
    )


@pytest.mark.parametrize("case", load("retry.json"))
def test_retry(case: dict[str, Any]) -> None:
    decision = retry.decide(
        failure_of(case),
        policy=retry.RetryPolicy(**case.get("policy", {})),
        attempt=case["attempt"],
        elapsed=case["elapsed"],
        now=case["now"],
        jitter=case["jitter"],
        resumed=case["resumed"],
    )
    expected = {"server_delay": False, "shared": False} | case["expect"]
    assert decision.delay == pytest.approx(expected.pop("delay"), rel=1e-12)
    assert {name: getattr(decision, name) for name in expected} == expected
    assert decision.reason


@pytest.mark.parametrize("case", load("retry_after.json"))
def test_retry_after(case: dict[str, Any]) -> None:
    result = retry.retry_after_seconds(case["headers"], case["now"])
    assert result == (None if case["expect"] is None else pytest.approx(case["expect"]))


@pytest.mark.parametrize("case", load("chunking.json"))
def test_chunking(case: dict[str, Any]) -> None:
    runs = chunking.split(case["sizes"], max_items=case["max_items"], max_size=case["max_size"])
    assert [[run.start, run.stop] for run in runs] == case["expect"]


CHUNKS = {
    "encoded_text": types.EncodedTextChunk,
    "image": types.ImageChunk,
    "image_asset_pointer": types.ImageAssetPointerChunk,
}


@pytest.mark.parametrize("case", load("chunking.json", "size"))
def test_size_of_a_datum(case: dict[str, Any]) -> None:
    chunks = [dict(chunk) for chunk in case["datum"]["model_input"]["chunks"]]
    inputs = case["datum"]["loss_fn_inputs"]
    datum = types.Datum(
        model_input=types.ModelInput([CHUNKS[chunk.pop("type")](**chunk) for chunk in chunks]),
        loss_fn_inputs={name: types.TensorData(**told) for name, told in inputs.items()},
    )
    assert types.number_count(datum) == case["expect"]


@pytest.mark.parametrize("case", load("conflicts.json"))
def test_conflicts(case: dict[str, Any]) -> None:
    assert conflicts.expected_seq_id(case["message"]) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json"))
def test_datum_index_in_text(case: dict[str, Any]) -> None:
    assert datum_index.text_in_batch(case["text"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json", "bodies"))
def test_datum_index_in_body(case: dict[str, Any]) -> None:
    assert datum_index.body_in_batch(case["body"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("datum_index.json", "paths"))
def test_datum_index_in_path(case: dict[str, Any]) -> None:
    assert datum_index.path_in_batch(case["path"], range(*case["chunk"])) == case["expect"]


@pytest.mark.parametrize("case", load("numbers.json"))
def test_numbers(case: dict[str, Any]) -> None:
    assert seq_ids.is_reusable(case["status"]) is case["expect"]


@pytest.mark.parametrize("case", load("metrics.json"))
def test_metrics(case: dict[str, Any]) -> None:
    parts = [({key: number(v) for key, v in values.items()}, w) for values, w in case["parts"]]
    reduced = metrics.reduce_metrics(parts)
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


@pytest.mark.parametrize("case", load("limits.json", "admit"))
def test_admit(case: dict[str, Any]) -> None:
    budget = limits.Budget(case["limit"])
    for size in case["held"]:
        budget = budget.take(size)
    after, admitted = limits.admit(budget, case["waiting"])
    assert admitted == case["expect"]
    assert after.used == sum(case["held"]) + sum(case["waiting"][:admitted])


@pytest.mark.parametrize("case", load("limits.json", "restart_delay"))
def test_restart_delay(case: dict[str, Any]) -> None:
    delay = limits.restart_delay(case["position"], case["paused"])
    assert delay == pytest.approx(case["expect"], rel=1e-12)


OUTCOMES = {
    polling.Ready: "ready",
    polling.TryAgain: "try_again",
    polling.MetadataOnly: "metadata_only",
    polling.Gone: "gone",
    polling.Failed: "failed",
    polling.Refused: "refused",
    polling.Retry: "retry",
    polling.Malformed: "broken",
}


@pytest.mark.parametrize("case", load("polling.json", "classify"))
def test_classify(case: dict[str, Any]) -> None:
    outcome = polling.classify(case["status"], case["body"])
    expected = dict(case["expect"])
    assert OUTCOMES[type(outcome)] == expected.pop("outcome")
    assert {name: getattr(outcome, name) for name in expected} == expected
    if isinstance(outcome, polling.Ready):
        assert outcome.body == case["body"]
    if isinstance(outcome, polling.Failed | polling.Refused | polling.Retry):
        assert outcome.status == case["status"]


def outcome_of(case: dict[str, Any]) -> polling.PollOutcome:
    response = case["answer"]
    if response is None:
        return polling.Retry(None)
    return polling.classify(response["status"], response["body"])


@pytest.mark.parametrize("case", load("polling.json", "poll_delay"))
def test_poll_delay(case: dict[str, Any]) -> None:
    result = polling.poll_delay(
        outcome_of(case),
        case["consecutive"],
        case["jitter"],
        held=case["held"],
        server_delay=case.get("server_delay"),
    )
    assert result == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("polling.json", "worth_polling"))
def test_worth_polling(case: dict[str, Any]) -> None:
    given = {"window": case["window"]} if "window" in case else {}
    result = polling.should_poll_again(
        outcome_of(case), case["consecutive"], streak=case["streak"], **given
    )
    assert result is case["expect"]


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


@pytest.mark.parametrize("case", load("tokens.json", "read_times"))
def test_times_of_a_token(case: dict[str, Any]) -> None:
    assert token_validity.read_times(token_of(case)) == token_validity.Validity(**case["expect"])


@pytest.mark.parametrize("case", load("tokens.json", "life"))
def test_life_of_a_token(case: dict[str, Any]) -> None:
    times = token_validity.Validity(case["issued"], case["expires"])
    assert token_validity.lifetime(times, case["now"]) == case["expect"]


@pytest.mark.parametrize("case", load("tokens.json", "use"))
def test_use_of_a_token(case: dict[str, Any]) -> None:
    assert token_validity.is_usable(case["age"], case["life"]) == case["expect"]["fresh"]
    assert token_validity.is_alive(case["age"], case["life"]) == case["expect"]["alive"]


@pytest.mark.parametrize("case", load("tokens.json", "refresh_delay"))
def test_refresh_of_a_token(case: dict[str, Any]) -> None:
    delay = token_validity.refresh_delay(case["life"], case["jitter"])
    assert delay == pytest.approx(case["expect"], rel=1e-12)


@pytest.mark.parametrize("case", load("tokens.json", "is_invalid_token"))
def test_refusal_of_a_token(case: dict[str, Any]) -> None:
    assert token_validity.is_invalid_token(case["status"], case["headers"]) == case["expect"]


@pytest.mark.parametrize("case", load("tokens.json", "may_want_token"))
def test_a_token_may_be_wanted(case: dict[str, Any]) -> None:
    result = token_validity.should_renegotiate(
        case["status"], case["headers"], told=case["told"], asked=case["asked"]
    )
    assert result is case["expect"]


@pytest.mark.parametrize("case", load("tokens.json", "has_expired"))
def test_end_of_a_key(case: dict[str, Any]) -> None:
    assert token_validity.has_expired(token_of(case), case["now"]) == case["expect"]


SETS = ("refused", "told", "untold", "without")


def dialect_of(changes: dict[str, Any]) -> server_protocol.ServerProtocol:
    """The first dialect, changed as the vectors write it."""
    told: dict[str, Any] = {
        name: frozenset(value) if name in SETS else value for name, value in changes.items()
    }
    return evolve(server_protocol.BASELINE, **told)


@pytest.mark.parametrize("case", load("dialect.json", "introduced"))
def test_a_server_introduces_itself(case: dict[str, Any]) -> None:
    result = server_protocol.from_client_config(case["config"], case["dynamic"])
    assert result.flags is not None
    assert evolve(result, flags=None, dynamic=server_protocol.BASELINE.dynamic) == dialect_of(
        case["expect"]
    )


@pytest.mark.parametrize("case", load("dialect.json", "corrected"))
def test_a_refusal_teaches(case: dict[str, Any]) -> None:
    before = dialect_of(case["dialect"])
    expected = None if case["expect"] is None else dialect_of(case["dialect"] | case["expect"])
    result = server_protocol.learn_from_error(
        before, case["operation"], case["status"], case["body"]
    )
    assert result == expected


@pytest.mark.parametrize("case", load("dialect.json", "idle"))
def test_what_says_nothing_is_left_out(case: dict[str, Any]) -> None:
    assert server_protocol.drop_default_fields(case["body"], case["refused"]) == case["expect"]


@pytest.mark.parametrize("case", load("unsupported.json"))
def test_what_a_server_can_not_do_is_said(case: dict[str, Any]) -> None:
    result = hints.advice(case["operation"], case["status"], case["body"], server_protocol.BASELINE)
    if case["expect"] is None:
        assert result is None
    else:
        assert all(words in str(result) for words in case["expect"])


@pytest.mark.parametrize("case", load("completions.json", "read_completions"))
def test_what_has_ended(case: dict[str, Any]) -> None:
    expected = None if case["expect"] is None else completions.Told(**case["expect"])
    assert completions.read_completions(case["body"]) == expected


@pytest.mark.parametrize("case", load("completions.json", "spared"))
def test_refusals_that_are_borne(case: dict[str, Any]) -> None:
    assert completions.spared(case["status"], case["in_a_row"]) is case["expect"]


@pytest.mark.parametrize("case", load("completions.json", "first_number"))
def test_numbers_of_a_client_that_joins(case: dict[str, Any]) -> None:
    assert completions.first_number(case["counter"]) == case["expect"]
