"""The metadata that the official package would have, for programs that check its version."""

from __future__ import annotations

from importlib.metadata import Distribution
from typing import Any

from tinker_ext.as_tinker.module_table import RELEASE


class AliasDistribution(Distribution):
    """The distribution `tinker` in the release that this package is compared with."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: tinker\nVersion: {RELEASE}\n"

    def locate_file(self, path: Any) -> Any:
        return path
