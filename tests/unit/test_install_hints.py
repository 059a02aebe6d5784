"""Install commands name the source that the package was installed from."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from tinker_ext import install_hints


class Installed:
    """A distribution with this record of its origin."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        (None, "pip install 'tinker-ext[plot]'"),
        ({"url": "{folder}", "dir_info": {}}, "pip install '{path}[plot]'"),
        (
            {"url": "{folder}", "dir_info": {"editable": True}},
            "pip install --editable '{path}[plot]'",
        ),
        ({"url": "file:///no/such/folder", "dir_info": {}}, "pip install 'tinker-ext[plot]'"),
        (
            {"url": "https://host/x.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "pip install 'tinker-ext[plot] @ git+https://host/x.git'",
        ),
        (
            {"url": "file:///x.whl", "archive_info": {}},
            "pip install 'tinker-ext[plot] @ file:///x.whl'",
        ),
    ],
    ids=["index", "folder", "editable", "removed folder", "repository", "wheel"],
)
def test_hint_names_origin(
    origin: dict[str, Any] | None, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a clone"
    folder.mkdir()
    if origin is not None and origin["url"] == "{folder}":
        origin = {**origin, "url": folder.as_uri()}
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(origin))
    assert install_hints.install_hint("plot") == hint.format(path=folder)


def test_hint_without_metadata_names_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    assert install_hints.install_hint("a", "b") == "pip install 'tinker-ext[a,b]'"
    assert install_hints.install_hint() == "pip install 'tinker-ext'"
