"""The command that installs an optional part of this package."""

from __future__ import annotations

from typing import Any

#: The name on the package index.
NAME = "tinker-ext"


def install_hint(*extras: str) -> str:
    """A pip command for `extras` that installs from the source this package was installed from.

    That is the folder of a clone, the URL of a repository or wheel, or the package index.
    """
    return f"pip install {_requirement(_direct_url(), ','.join(extras))}"


def _requirement(origin: dict[str, Any], extras: str) -> str:
    """`origin` is the content of ``direct_url.json`` (PEP 610), empty for the package index."""
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    suffix = f"[{extras}]" if extras else ""
    url = str(origin.get("url", ""))
    if "dir_info" in origin and (folder := Path(url2pathname(urlsplit(url).path))).is_dir():
        editable = "--editable " if origin["dir_info"].get("editable") else ""
        return f"{editable}'{folder}{suffix}'"
    if repository := origin.get("vcs_info"):
        return f"'{NAME}{suffix} @ {repository['vcs']}+{url}'"
    if "archive_info" in origin:
        return f"'{NAME}{suffix} @ {url}'"
    return f"'{NAME}{suffix}'"


def _direct_url() -> dict[str, Any]:
    # Imported here, because every start of the command line imports this module.
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:  # Imported from a folder on the path.
        text = None
    origin: dict[str, Any] = json.loads(text or "{}")
    return origin
