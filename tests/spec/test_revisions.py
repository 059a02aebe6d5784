"""The specification has a version of its own, which follows from its changes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from codegen.documents import load_yaml
from codegen.emit import revisions
from codegen.emit.revisions import next_version, publish, published, revisions_text
from codegen.paths import REVISION_LOG, SPECIFICATION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]


@pytest.fixture(scope="module")
def specification() -> Json:
    return load_yaml(SPECIFICATION)


def remove_operation(document: Json) -> None:
    del document["paths"]["/api/v1/weights_info"]


def add_field(document: Json) -> None:
    fields = document["components"]["schemas"]["SampleRequest"]["properties"]
    fields["purpose"] = {"type": "string"}


def change_text(document: Json) -> None:
    document["components"]["schemas"]["SampleRequest"]["description"] = "Other words."


@pytest.mark.parametrize(
    ("plant", "version"),
    [
        (remove_operation, "3.0.0"),
        (add_field, "2.4.0"),
        (change_text, "2.3.2"),
        (lambda _document: None, "2.3.1"),
    ],
    ids=["breaking", "additive", "text", "nothing"],
)
def test_version_follows_from_the_changes(
    specification: Json, plant: Callable[[Json], None], version: str
) -> None:
    last = copy.deepcopy(specification)
    last["info"]["version"] = "2.3.1"
    changed = copy.deepcopy(specification)
    plant(changed)
    assert next_version(changed, last) == version


def test_kept_version_and_log_are_those_of_the_changes(specification: Json) -> None:
    last = published()
    assert last is not None
    assert specification["info"]["version"] == next_version(specification, last)
    assert REVISION_LOG.read_text(encoding="utf-8") == revisions_text(specification, last)


def test_published_revision_lists_its_changes(
    specification: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "REVISIONS", tmp_path)
    monkeypatch.setattr(revisions, "PUBLISHED", tmp_path / "published.json")
    assert next_version(specification, None) == "1.0.0"
    first = revisions.with_version(specification, None)
    assert publish(first) == "1.0.0"
    with pytest.raises(ValueError, match="nothing has changed since revision"):
        publish(first)
    changed = copy.deepcopy(first)
    remove_operation(changed)
    changed = revisions.with_version(changed, published())
    text = revisions_text(changed, published())
    assert "## 2.0.0 (not published)" in text
    assert publish(changed) == "2.0.0"
    text = revisions_text(changed, published())
    assert text.index("## 2.0.0\n") < text.index("- `POST /weights_info`: operation removed")
    assert "## 1.0.0" in text
