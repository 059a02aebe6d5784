"""The contract of each kept release agrees with its official package, imported and called."""

from __future__ import annotations

import copy

import pytest

from codegen import build
from codegen.documents import load_yaml
from codegen.paths import RELEASES
from conformance.oracle.command import compare_release
from conformance.oracle.facts import compare
from conformance.oracle.package import inspect
from conformance.oracle.reasons import load_reasons, unexplained

pytestmark = pytest.mark.interop

# Facts of the smallest kept release when this test was written: a script that sees less is broken.
LEAST_FACTS = 1400


@pytest.mark.parametrize("release", build.kept_releases())
def test_contract_agrees_with_the_package(release: str) -> None:
    result = compare_release(release)
    assert sum(result.comparison.facts.values()) > LEAST_FACTS
    assert [str(difference) for difference in result.unexplained] == []
    assert result.gaps == ()


def test_oracle_finds_planted_mistakes() -> None:
    document = load_yaml(RELEASES / "0.38.0.yaml")
    schemas = document["components"]["schemas"]
    del schemas["SampleRequest"]["properties"]["seq_id"]
    schemas["Cursor"]["required"].remove("offset")
    schemas["AdamParams"]["properties"]["beta1"]["default"] = 0.8
    schemas["TrainingRun"]["properties"]["base_model"]["type"] = "integer"
    schemas["StopReason"]["enum"].append("eos")
    document["paths"]["/api/v1/sessions"]["get"]["parameters"].pop()
    document["paths"]["/api/v1/audit"]["post"] = {
        **copy.deepcopy(document["paths"]["/api/v1/audit"]["get"]),
        "operationId": "post_audit",
    }
    comparison = compare(inspect("0.38.0"), document)
    places = {item.place for item in unexplained(comparison.differences, load_reasons())}
    assert places >= {
        "SampleRequest.seq_id",
        "Cursor.offset required",
        "AdamParams.beta1 default",
        "TrainingRun.base_model type",
        "StopReason",
        "request list_sessions",
        "operation post_audit",
    }
