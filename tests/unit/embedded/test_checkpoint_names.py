"""Checkpoint names and paths are parsed and validated."""

from __future__ import annotations

import pytest

from tinker_ext.embedded.checkpoints.names import (
    BadNameError,
    CheckpointName,
    check_name,
    parse_kind,
)


@pytest.mark.parametrize("kind", ["weights", "sampler_weights"])
def test_path_round_trip(kind: str) -> None:
    path = f"tinker://5f0c:train:0/{kind}/step-0001"
    name = CheckpointName.parse(path)
    assert name.path == path
    assert name.run_id == "5f0c:train:0"
    assert name.checkpoint_id == f"{kind}/step-0001"
    assert name.checkpoint_type == ("training" if kind == "weights" else "sampler")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run/weights/a",
        "tinker://run/weights",
        "tinker://run/weights/a/b",
        "tinker:///weights/a",
        "tinker://run/other/a",
        "tinker://run/weights/..",
        "tinker://run/weights/",
    ],
)
def test_invalid_path_is_rejected(path: str) -> None:
    with pytest.raises(BadNameError):
        CheckpointName.parse(path)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a\x00", "é", "x" * 201, "a\n"]
)
def test_name_that_is_not_a_safe_file_name_is_rejected(name: str) -> None:
    with pytest.raises(BadNameError, match="is not a valid checkpoint name"):
        check_name(name)


def test_unknown_kind_is_rejected() -> None:
    assert parse_kind("external_weights") == "external_weights"
    with pytest.raises(BadNameError, match="weights, sampler_weights, external_weights"):
        parse_kind("checkpoints")
