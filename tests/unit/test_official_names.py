"""Who knows the official SDK finds its names, or finds in the documents why not.

`tests/official_names` has what the packages of 0.4.1 and 0.38.0 have; `make names` writes it, and
`make interop` holds it to them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = ROOT / "docs" / "from-the-official-sdk.md"
HEADING = "## Missing names, and why"
#: Arguments that the two releases have in different places, or under different names: either does.
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
def absent_rows() -> list[tuple[str, str]]:
    """The rows of the documents' table of what is not here: its names, and the reason."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(HEADING)[2]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [(names, reason) for names, reason in rows[2:]]


def identifiers(text: str) -> set[str]:
    """All names in the code of a Markdown text."""
    return {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"\w+", code)}


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_not_here_is_in_the_documents(release: str) -> None:
    named = {name for row in absent_rows() for text in row for name in identifiers(text)}
    lacking = set(differences(recorded(release), own())) - EITHER_WAY.keys()
    untold = {item for item in lacking if re.findall(r"\w+", item)[-1] not in named}
    assert untold == set()


def test_the_documents_call_nothing_absent_that_is_here() -> None:
    here = {name for module in MODULES for name in own()[module]}
    told = {name for names, _ in absent_rows() for name in identifiers(names)}
    assert told & here == {"SamplingClient"}, "of which a member is absent"
    known = {
        name for release in RELEASES for name in identifiers(f"`{as_text(recorded(release))}`")
    }
    assert told - known == {"lib", "resources", "tinker"}, "the official SDK has no such name"


@pytest.mark.parametrize("release", RELEASES)
def test_a_record_is_written_as_it_is_read(release: str) -> None:
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
    ("change", "lacking"),
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
def test_what_is_lacking_is_noticed(change: dict[str, Any], lacking: list[str]) -> None:
    ours = {**OFFICIAL, "described": {"Thing": {**OFFICIAL["described"]["Thing"], **change}}}
    assert differences(OFFICIAL, ours) == lacking


def test_a_missing_name_is_noticed() -> None:
    ours = {**OFFICIAL, "package": ["Thing"], "types": []}
    assert differences(OFFICIAL, ours) == ["Thing", "alias"]


def test_all_that_is_exported_is_there() -> None:
    for module in (tinker, types):
        assert all(getattr(module, name) is not None for name in module.__all__)
    assert dir(tinker) == sorted(tinker.__all__)
