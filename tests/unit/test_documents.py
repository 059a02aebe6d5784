"""Links, headings, files and names in the documents exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tinker_ext.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "ports" / "README.md")
)
#: Files and folders of the repository in backquotes, without placeholders in capitals.
PATH = re.compile(
    r"`((?:\.ci|benchmarks|codegen|conformance|docs|generated|openapi|ports|scripts|tests|tinker_ext)"
    r"/[a-z0-9_./-]+)`"
)


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a document's headings, as GitHub derives them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(
        re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-") for title in titles
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings(document: str) -> None:
    path = ROOT / document
    for link in re.findall(r"\]\(([^):]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_exist(document: str) -> None:
    paths = PATH.findall((ROOT / document).read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_commands_are_targets(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {
        name for name in targets if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)
    } == set()


@pytest.mark.parametrize("folder", re.findall(r"^\| `([a-z_/]+/)` \|", README, re.MULTILINE))
def test_folders_of_the_layout_exist(folder: str) -> None:
    assert (ROOT / folder).is_dir()


def test_every_cli_command_is_documented() -> None:
    groups = re.findall(r"`tinker-ext ([a-z|-]+)", README)
    assert {name for group in groups for name in group.split("|")} == set(COMMANDS)
