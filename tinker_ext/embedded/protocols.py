"""What each dialect has, read from the specification of its release.

A strict server of one release has that release's operations, takes its fields and its content
types and no others; the rest is refused as that release would.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson

from tinker_ext.embedded.releases import DIALECTS
from tinker_ext.embedded.validation import Specification


@cache
def specification_of(dialect: str) -> Specification:
    """The specification of one of `DIALECTS`.

    Raises:
        ValueError: there is no such dialect.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"there is no dialect {dialect!r}, only {', '.join(DIALECTS)}")
    return Specification(orjson.loads((files("tinker_api") / DIALECTS[dialect]).read_bytes()))
