"""Which releases of the API this server can be told to speak, and what each of them has.

All of it is read from the specifications: a strict server of one release has that release's
operations, takes its fields and its content types and no others; the rest is refused as that
release would.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson

from tinker_ext.embedded.validation import Specification

ANY = "any"

# By the name users give: the document with it, shipped with the generated client. That of `any` is
# the union of all releases.
DIALECTS = {
    "0.4.1": "readings/0.4.1.json",
    "0.24": "readings/0.24.1.json",
    "0.25": "readings/0.25.0.json",
    "0.38": "readings/0.38.0.json",
    ANY: "openapi.json",
}


@cache
def specification_of(dialect: str) -> Specification:
    """The specification of one of `DIALECTS`.

    Raises:
        ValueError: there is no such dialect.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"there is no dialect {dialect!r}, only {', '.join(DIALECTS)}")
    return Specification(orjson.loads((files("tinker_api") / DIALECTS[dialect]).read_bytes()))
