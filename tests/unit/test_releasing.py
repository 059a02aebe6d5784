"""`make dist` rejects builds that differ, and `make upgrade` reports the changed versions."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from scripts import dist, upgrade
from tinker_ext.version import __version__

ROOT = Path(__file__).parents[2]


def test_equal_builds_pass() -> None:
    files = dict.fromkeys(dist.NAMES, "digest")
    dist.check_equal(files, dict(files))


@pytest.mark.parametrize("name", dist.NAMES)
def test_builds_that_differ_are_rejected(name: str) -> None:
    files = dict.fromkeys(dist.NAMES, "digest")
    with pytest.raises(ValueError, match=f"two builds of {name} differ"):
        dist.check_equal(files, {**files, name: "other"})


def test_build_without_source_distribution_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"expected .*\.tar\.gz"):
        dist.check_equal({dist.NAMES[0]: "digest"}, {})


def test_digests_depend_on_contents_only(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("same")
    assert dist.digests(tmp_path / "a") == dist.digests(tmp_path / "b")
    (tmp_path / "b" / "file").write_text("other")
    assert dist.digests(tmp_path / "a") != dist.digests(tmp_path / "b")


def test_changelog_has_section_for_this_version() -> None:
    dist.check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
    with pytest.raises(ValueError, match=r"no section '9\.9\.9'"):
        dist.check_changelog("# Changelog\n\n## 1.0.0 (2026-01-01)\n", "9.9.9")


def test_version_is_defined_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "tinker_ext/version.py"}


def test_differences_list_changed_added_and_removed_packages() -> None:
    before = {"one": "1.0", "Two_x": "2.0", "gone": "1"}
    after = {"one": "1.1", "two-x": "2.0", "new": "3"}
    assert list(upgrade.differences(before, after)) == [
        "  - gone 1",
        "  + new 3",
        "    one 1.0 -> 1.1",
    ]


def test_pins_are_replaced_below_the_comment() -> None:
    text = "# The versions.\n# Two lines.\nb==1\nA==2\n"
    assert upgrade.read_pins(text) == {"b": "1", "A": "2"}
    assert (
        upgrade.with_pins(text, {"b": "3", "A": "2"})
        == "# The versions.\n# Two lines.\nA==2\nb==3\n"
    )


def test_committed_pins_survive_a_rewrite() -> None:
    text = upgrade.PINS.read_text(encoding="utf-8")
    rewritten = upgrade.with_pins(text, upgrade.read_pins(text))
    assert upgrade.read_pins(rewritten) == upgrade.read_pins(text)
    assert rewritten.startswith("# ")


def test_targets_of_an_upgrade_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in upgrade.TARGETS if f"\n{target}:" not in makefile] == []
