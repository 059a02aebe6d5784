"""The names of the official SDK exist here, or the documentation explains why not.

`tests/official_names` records the names of the packages 0.4.1 and 0.38.0; `make names` writes it,
and `make interop` compares it with the packages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

import tinker_ext as tinker
from conformance.interop.environments import ROOT
from conformance.interop.public_names import (
    MODULES,
    RELEASES,
    as_text,
    differences,
    own_names,
    path_of,
    recorded,
)
from tinker_ext import types

DOCUMENT = ROOT / "docs" / "from-the-official-sdk.md"
HEADING = "## Missing names, and why"
#: Arguments whose position or name differs between the two releases; both are accepted.
EITHER_WAY = {
    "TrainingClient.optim_step(adam_params)": "first, or by that name",
    "TrainingClient.optim_step_async(adam_params)": "first, or by that name",
    "ServiceClient.create_training_client_from_state(user_metadata)": "second or third",
    "ServiceClient.create_training_client_from_state_async(user_metadata)": "second or third",
}


@cache
def own() -> Mapping[str, Any]:
    return own_names()


@cache
def missing_rows() -> list[tuple[str, str]]:
    """The rows of the documentation's table of missing names: the names and the reason."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(HEADING)[2]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [(names, reason) for names, reason in rows[2:]]


def identifiers(text: str) -> set[str]:
    """All names in the code of a Markdown text."""
    return {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"\w+", code)}


@pytest.mark.parametrize("release", RELEASES)
def test_missing_names_documented(release: str) -> None:
    documented = {name for row in missing_rows() for text in row for name in identifiers(text)}
    missing = set(differences(recorded(release), own())) - EITHER_WAY.keys()
    undocumented = {
        difference for difference in missing if re.findall(r"\w+", difference)[-1] not in documented
    }
    assert undocumented == set()


def test_documented_missing_names_are_missing() -> None:
    existing = {name for module in MODULES for name in own()[module]}
    documented = {name for names, _ in missing_rows() for name in identifiers(names)}
    partly = {
        *("SampledSequence", "SampleResponse"),
        *("SaveWeightsResponse", "SaveWeightsForSamplerResponse"),
    }
    assert documented & existing == partly, "only some of their members are missing"
    official = {
        name for release in RELEASES for name in identifiers(f"`{as_text(recorded(release))}`")
    }
    assert documented - official == {"resources", "tinker"}


@pytest.mark.parametrize("release", RELEASES)
def test_record_round_trip(release: str) -> None:
    assert as_text(recorded(release)) == path_of(release).read_text(encoding="utf-8")


OFFICIAL: dict[str, Any] = {
    "package": ["Thing", "alias"],
    "types": ["Thing"],
    "described": {
        "Thing": {
            "constructor": ["first", "second=", "*third="],
            "members": {"call": ["a", "b=", "*c"], "value": None},
        }
    },
}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, []),
        ({"constructor": ["first", "second=", "own=", "*third="]}, []),
        ({"constructor": ["first", "second=", "**config"]}, []),
        ({"constructor": ["first", "own=", "second=", "*third="]}, ["Thing(second)"]),
        ({"constructor": ["first", "*second=", "*third="]}, ["Thing(second)"]),
        ({"constructor": ["first", "second", "*third="]}, ["Thing(second)"]),
        ({"constructor": ["first", "second=", "own", "*third="]}, ["Thing(own)"]),
        ({"members": {"call": ["a", "b=", "*c="]}}, ["Thing.value"]),
        ({"members": {"call": ["a", "b="], "value": None}}, ["Thing.call(c)"]),
        ({"members": {"call": ["b=", "a", "*c"], "value": []}}, ["Thing.call(a)", "Thing.call(b)"]),
    ],
)
def test_difference_detected(change: dict[str, Any], missing: list[str]) -> None:
    ours = {**OFFICIAL, "described": {"Thing": {**OFFICIAL["described"]["Thing"], **change}}}
    assert differences(OFFICIAL, ours) == missing


def test_missing_export_detected() -> None:
    ours = {**OFFICIAL, "package": ["Thing"], "types": []}
    assert differences(OFFICIAL, ours) == ["Thing", "alias"]


def test_exports_exist() -> None:
    for module in (tinker, types):
        exports = vars(module)["__all__"]
        assert all(getattr(module, name) is not None for name in exports)
        assert dir(module) == sorted(exports)
