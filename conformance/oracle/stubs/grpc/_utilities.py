"""The check of versions in generated modules, which always passes."""

from __future__ import annotations


def first_version_is_lower(_first: str, _second: str) -> bool:
    return False
