"""ParsedCheckpointTinkerPath: tinker:// paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import ParsedCheckpointTinkerPath

SEGMENT = st.text(st.characters(exclude_characters="/", codec="ascii"), min_size=1).filter(
    lambda segment: segment not in {".", ".."}  # They would address another resource.
)


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        ("weights", "training"),
        ("sampler_weights", "sampler"),
        ("external_weights", "external"),
        ("checkpoints", "training"),
    ],
)
def test_path_with_run_kind_and_name(segment: str, kind: str) -> None:
    parsed = ParsedCheckpointTinkerPath.from_tinker_path(f"tinker://run-1/{segment}/0001")
    assert parsed.training_run_id == "run-1"
    assert parsed.checkpoint_type == kind
    assert parsed.checkpoint_id == f"{segment}/0001"
    assert (parsed.checkpoint_kind, parsed.checkpoint_name) == (segment, "0001")
    assert parsed.tinker_path == f"tinker://run-1/{segment}/0001"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run/weights/a",
        "tinker://",
        "tinker://run",
        "tinker://run/",
        "tinker://run/weights",
        "tinker://run/sampler_weights",
        "tinker://run/other/a",
        "tinker://run//a",
        "tinker://run/weights/a/b",
        "tinker://run/weights/",
        "tinker:///weights/a",
        "TINKER://run/weights/a",
        "https://run/weights/a",
    ],
)
def test_invalid_path_rejected_with_expected_form(path: str) -> None:
    with pytest.raises(ValueError, match="tinker://RUN/weights/NAME") as caught:
        ParsedCheckpointTinkerPath.from_tinker_path(path)
    assert isinstance(caught.value, InvalidInputError)


def test_path_without_kind() -> None:
    parsed = ParsedCheckpointTinkerPath.from_tinker_path("tinker://run-1/first")
    assert (parsed.training_run_id, parsed.checkpoint_id) == ("run-1", "first")
    assert (parsed.checkpoint_kind, parsed.checkpoint_name) == ("", "first")
    assert parsed.checkpoint_type is None


@given(run=SEGMENT, name=SEGMENT)
def test_run_and_name_round_trip(run: str, name: str) -> None:
    parsed = ParsedCheckpointTinkerPath.from_tinker_path(f"tinker://{run}/weights/{name}")
    assert (parsed.training_run_id, parsed.checkpoint_name) == (run, name)
