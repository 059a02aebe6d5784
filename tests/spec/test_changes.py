"""A change is reported, and rated by its effect on a correct program."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen.commands import diff
from codegen.documents import load_yaml
from codegen.emit.changelog import changelog
from codegen.paths import CHANGELOG, RELEASES
from codegen.releases.contract_diff import changes

Json = dict[str, Any]

RUN = "/api/v1/training_runs/{training_run_id}"


@pytest.fixture(scope="module")
def contract() -> Json:
    return load_yaml(RELEASES / "0.38.0.yaml")


def schema(document: Json, name: str) -> Json:
    result: Json = document["components"]["schemas"][name]
    return result


def remove_asked_field(document: Json) -> None:
    del schema(document, "SampleRequest")["properties"]["topk_prompt_logprobs"]


def remove_answered_field(document: Json) -> None:
    del schema(document, "UntypedAPIFuture")["properties"]["request_id"]
    schema(document, "UntypedAPIFuture")["required"].remove("request_id")


def require_new_field(document: Json) -> None:
    schema(document, "SampleRequest")["properties"]["purpose"] = {"type": "string"}
    schema(document, "SampleRequest")["required"].append("purpose")


def require_known_field(document: Json) -> None:
    schema(document, "SampleRequest")["required"].append("seq_id")


def answer_without(document: Json) -> None:
    schema(document, "TrainingRun")["required"].remove("base_model")


def narrow_asked_enumeration(document: Json) -> None:
    schema(document, "LossFnType")["enum"].remove("ppo")


def widen_answered_enumeration(document: Json) -> None:
    schema(document, "StopReason")["enum"].append("tired")


def change_asked_type(document: Json) -> None:
    schema(document, "SampleRequest")["properties"]["num_samples"]["type"] = "string"


def change_answered_type(document: Json) -> None:
    schema(document, "Cursor")["properties"]["offset"]["type"] = "string"


def take_more_numbers(document: Json) -> None:
    schema(document, "SampleRequest")["properties"]["num_samples"]["type"] = "number"


def answer_null(document: Json) -> None:
    value = schema(document, "TrainingRun")["properties"]["base_model"]
    value["anyOf"] = [{"type": value.pop("type")}, {"type": "null"}]


def remove_operation(document: Json) -> None:
    del document["paths"]["/api/v1/weights_info"]


def add_content_type(document: Json) -> None:
    content = document["paths"]["/api/v1/asample"]["post"]["requestBody"]["content"]
    content["application/x-protobuf"] = {"schema": {"type": "string", "format": "binary"}}


def replace_content_type(document: Json) -> None:
    content = document["paths"]["/api/v1/asample"]["post"]["requestBody"]["content"]
    content["application/x-protobuf"] = content.pop("application/json")


def rename_path_parameter(document: Json) -> None:
    document["paths"]["/api/v1/training_runs/{run_id}"] = document["paths"].pop(RUN)


def change_default(document: Json) -> None:
    schema(document, "AdamParams")["properties"]["learning_rate"]["default"] = 0.1


def lower_limit(document: Json) -> None:
    schema(document, "SessionSearchRequest")["properties"]["limit"]["maximum"] = 100


def require_query(document: Json) -> None:
    document["components"]["parameters"]["SessionsLimit"]["required"] = True


# fmt: off
PLANTED: list[tuple[Callable[[Json], None], set[tuple[str, str, str]]]] = [
    (remove_asked_field, {("SampleRequest.topk_prompt_logprobs", "removed", "breaking")}),
    (remove_answered_field, {("UntypedAPIFuture.request_id", "removed", "breaking")}),
    (require_new_field, {("SampleRequest.purpose", "new, required", "breaking")}),
    (require_known_field, {("SampleRequest.seq_id", "now required", "breaking")}),
    (answer_without, {("TrainingRun.base_model", "no longer required", "breaking")}),
    (narrow_asked_enumeration, {("LossFnType", 'no longer "ppo"', "breaking")}),
    (widen_answered_enumeration, {("StopReason", 'now also "tired"', "unclear")}),
    (change_asked_type,
     {("SampleRequest.num_samples", "integer became string", "breaking")}),
    (change_answered_type, {("Cursor.offset", "integer became string", "breaking")}),
    (take_more_numbers,
     {("SampleRequest.num_samples", "integer became number", "additive")}),
    (answer_null, {("TrainingRun.base_model", "now also null", "breaking")}),
    (remove_operation, {("POST /weights_info", "operation removed", "breaking")}),
    (add_content_type,
     {("POST /asample body", "now also application/x-protobuf", "additive")}),
    (replace_content_type,
     {("POST /asample body", "now also application/x-protobuf", "additive"),
      ("POST /asample body", "no longer application/json", "breaking")}),
    (rename_path_parameter,
     {("GET /training_runs/{training_run_id}",
       "path parameter {training_run_id} is now named {run_id}; generated code changes",
       "unclear")}),
    (change_default,
     {("AdamParams.learning_rate", "default 0.0001 became 0.1", "unclear")}),
    (lower_limit, {("SessionSearchRequest.limit", "maximum 200 became 100", "breaking")}),
    (require_query, {("GET /sessions query limit", "now required", "breaking")}),
]
# fmt: on


@pytest.mark.parametrize(("plant", "expected"), PLANTED, ids=lambda it: getattr(it, "__name__", ""))
def test_change_is_reported_with_its_rating(
    contract: Json, plant: Callable[[Json], None], expected: set[tuple[str, str, str]]
) -> None:
    changed = copy.deepcopy(contract)
    plant(changed)
    result = {(change.where, change.what, change.rating) for change in changes(contract, changed)}
    assert result >= expected
    consequences = {item for item in result - expected if item[0] != "FutureRetrieveResponse"}
    assert not consequences


def test_changes_of_texts_and_evidence_are_ignored(contract: Json) -> None:
    changed = copy.deepcopy(contract)
    schema(changed, "AdamParams")["description"] = "Other words."
    schema(changed, "AdamParams")["properties"]["beta1"]["description"] = "Other words."
    changed["paths"]["/api/v1/asample"]["post"]["x-evidence"] = []
    assert changes(contract, changed) == []


@pytest.mark.parametrize(
    ("plant", "status", "text"),
    [
        (remove_operation, 1, "breaking  POST /weights_info"),
        (add_content_type, 0, "0 breaking, 1 additive, 0 unclear"),
    ],
)
def test_breaking_change_sets_the_exit_status(
    contract: Json,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plant: Callable[[Json], None],
    status: int,
    text: str,
) -> None:
    changed = copy.deepcopy(contract)
    plant(changed)
    path = tmp_path / "changed.json"  # JSON is YAML
    path.write_text(json.dumps(changed))
    monkeypatch.setattr("sys.argv", ["diff.py", str(RELEASES / "0.38.0.yaml"), str(path)])
    assert diff.main() == status
    assert text in capsys.readouterr().out


def test_changelog_lists_every_pair_and_the_known_breaking_changes() -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    contracts = {path.stem: load_yaml(path) for path in RELEASES.glob("*.yaml")}
    assert text == changelog(contracts)
    assert text.count("\nSince ") == len(contracts) - 1
    breaking = text.split("## 0.25.0")[1].split("### Additive")[0]
    assert "`POST /forward_backward body`: no longer application/json" in breaking
    assert "`POST /forward`: operation removed" in breaking
