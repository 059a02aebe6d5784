"""The protocols the server can implement: that of one release, or all of them together.

A strict server of one release has the operations, fields and content types of that release, and
rejects all others as that release does. Importing this module is cheap, because the command line
lists the names.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinker_ext.embedded.validation import Specification

ANY = "any"

# By name, the specification document in the package of the generated client; that of `any` is the
# union of all releases.
PROTOCOLS = {
    "0.4.1": "readings/0.4.1.json",
    "0.24": "readings/0.24.1.json",
    "0.25": "readings/0.25.0.json",
    "0.38": "readings/0.38.0.json",
    ANY: "openapi.json",
}

#: The protocol's name by its full release number: 0.38.0 is 0.38.
BY_RELEASE = {
    document.removeprefix("readings/").removesuffix(".json"): name
    for name, document in PROTOCOLS.items()
    if name != ANY
}


@cache
def specification_of(protocol: str) -> Specification:
    """The specification of one of `PROTOCOLS`.

    Raises:
        ValueError: the name is unknown.
    """
    import orjson

    from tinker_ext.embedded.validation import Specification

    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    return Specification(orjson.loads((files("tinker_api") / PROTOCOLS[protocol]).read_bytes()))
