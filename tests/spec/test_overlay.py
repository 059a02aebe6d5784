"""An overlay action has its intended effect, or fails the build."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.contract.overlay import OverlayError, apply_checked, apply_overlay, check_effects

Json = dict[str, Any]


def document() -> Json:
    return {
        "paths": {"/api/v1/a": {"get": {"operationId": "get_a", "tags": ["x"]}}},
        "components": {
            "schemas": {"A": {"type": "object", "properties": {"one": {"type": "string"}}}}
        },
    }


def apply(action: Json, release: str = "0.4.1") -> Json:
    full = {"x-why": "because", "x-evidence": "seen", **action}
    return apply_checked(document(), {"actions": [full]}, release=release, form="contract")


def test_an_update_is_merged() -> None:
    done = apply({"target": "$.components.schemas.A", "update": {"description": "An A."}})
    assert done["components"]["schemas"]["A"]["description"] == "An A."
    assert done["components"]["schemas"]["A"]["type"] == "object"


@pytest.mark.parametrize(
    "action",
    [
        {"target": "$.components.schemas.B", "update": {"description": "No such type."}},
        {"target": "$.paths['/api/v1/b'].get", "remove": True},
        {"target": "$.components.schemas.A", "update": {"type": "object"}},
        {"target": "$.components.schemas.A", "update": {"properties": {"two": {}}}},
        {"target": "$.components.schemas", "update": {"B": {"description": "No such type."}}},
        {"target": "$.paths", "update": {"/api/v1/b": {"get": {}}}},
        {"target": "$.paths", "update": {"/api/v1/a": {"post": {}}}},
        {"target": "$.paths['/api/v1/a'].get.tags[0]", "update": {"y": 1}},
    ],
)
def test_action_without_effect_or_with_unknown_name_fails(action: Json) -> None:
    with pytest.raises(OverlayError, match="overlay"):
        apply(action)


def test_new_names_require_x_adds() -> None:
    new = {"target": "$.components.schemas", "update": {"B": {"type": "string"}}}
    done = apply({**new, "x-adds": True})
    assert done["components"]["schemas"]["B"] == {"type": "string"}


def test_action_without_why_or_evidence_fails() -> None:
    action = {"target": "$.paths", "remove": True, "x-why": "no evidence"}
    with pytest.raises(OverlayError, match="x-evidence"):
        apply_checked(document(), {"actions": [action]}, release="0.4.1", form="contract")


def test_action_for_other_releases_is_skipped() -> None:
    action = {"target": "$.components.schemas.B", "update": {"x": 1}, "x-releases": ">=0.25"}
    assert apply(action) == document()
    with pytest.raises(OverlayError):
        apply(action, "0.25.0")


def test_tolerant_action_is_skipped_in_the_contract() -> None:
    action = {"target": "$.components.schemas.B", "update": {"x": 1}, "x-form": "tolerant"}
    assert apply(action) == document()


def over_releases(action: Json) -> None:
    """Apply `action` to two releases, the second of which also has a type B, and check it."""
    overlay = {"actions": [{"x-why": "because", "x-evidence": "seen", **action}]}
    newer = document()
    newer["components"]["schemas"]["B"] = {"type": "object", "properties": {}}
    effects = {
        release: apply_overlay(given, overlay, release=release, form="contract")[1]
        for release, given in (("0.4.1", document()), ("0.38.0", newer))
    }
    check_effects(overlay, effects)


TEXTS = {"A": {"description": "An A."}, "B": {"description": "A B."}}


def test_update_may_name_elements_that_only_some_releases_have() -> None:
    over_releases({"target": "$.components.schemas", "update": TEXTS})
    over_releases({"target": "$.components.schemas.B", "update": {"description": "A B."}})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"target": "$.components.schemas", "update": {**TEXTS, "C": {"description": "?"}}}, "C"),
        ({"target": "$.components.schemas.C", "update": {"description": "?"}}, "0.4.1, 0.38.0"),
        (
            {
                "target": "$.components.schemas.B",
                "update": {"description": "A B."},
                "x-releases": ">=0.4",
            },
            "nothing in 0.4.1$",
        ),
    ],
)
def test_unknown_name_and_unmatched_named_release_fail(action: Json, message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        over_releases(action)


def test_places_changed_by_one_action_do_not_share_values() -> None:
    document_before = document()
    document_before["components"]["schemas"]["B"] = {"type": "object", "properties": {}}
    actions: list[Json] = [
        {"target": "$.components.schemas.*", "update": {"x-new": {}}},
        {"target": "$.components.schemas.A", "update": {"x-new": {"one": 1}}},
    ]
    overlay = {
        "actions": [{"x-why": "because", "x-evidence": "seen", **action} for action in actions]
    }
    done = apply_checked(document_before, overlay, release="0.4.1", form="contract")
    assert done["components"]["schemas"]["B"]["x-new"] == {}
