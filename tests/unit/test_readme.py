"""Folders, commands and files that the README names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinker_ext.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", re.findall(r"^\| `([a-z_/]+/)` \|", README, re.MULTILINE))
def test_layout_folder_exists(folder: str) -> None:
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", re.findall(r"\]\(([^):]+)\)", README))
def test_linked_file_exists(file: str) -> None:
    assert (ROOT / file).is_file()


def test_every_cli_command_named() -> None:
    assert set(re.findall(r"`tinker-ext ([a-z]+)", README)) == set(COMMANDS)
