"""Folders, targets, links and commands in the README exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinker_ext.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", re.findall(r"^\| `([a-z_/]+/)` \|", README, re.MULTILINE))
def test_folders_of_the_layout_exist(folder: str) -> None:
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))))
def test_make_commands_are_targets(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^):]+)\)", README))
def test_linked_files_and_headings_exist(link: str) -> None:
    file, _, anchor = link.partition("#")
    assert (ROOT / file).is_file()
    if anchor:
        titles = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {
            re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles
        }


def test_every_cli_command_is_documented() -> None:
    assert set(re.findall(r"`tinker-ext ([a-z]+)", README)) == set(COMMANDS)
