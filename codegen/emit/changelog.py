"""`openapi/CHANGELOG.md`: what changed from each kept release to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from codegen.releases.contract_diff import RATINGS, changes, of_rating
from codegen.releases.union import in_release_order

if TYPE_CHECKING:
    from codegen.documents import Json
    from codegen.releases.schema_diff import Change

HEAD = """\
<!-- Do not edit. Made by `make spec` from openapi/releases/. -->

# What changed in the API

From each kept release to the next, seen from a program that speaks the older one: *breaking* is
what stops it, *additive* what needs nothing of it, *unclear* what depends on how it was written.
The rules are in `codegen/releases/schema_diff.py`. For any two releases there is
`make diff FROM=0.4.1 TO=0.38.0`.
"""


def changelog(contracts: dict[str, Json]) -> str:
    sections = [HEAD]
    for old, new in reversed(list(pairwise(in_release_order(contracts)))):
        sections.append(f"## {new}\n\nSince {old}.\n")
        found = changes(contracts[old], contracts[new])
        for rating in RATINGS:
            these = of_rating(found, rating)
            if these:
                sections.append(f"### {rating.capitalize()} ({len(these)})\n\n{_lines(these)}\n")
    return "\n".join(sections)


def _lines(found: list[Change]) -> str:
    """One line per change; answers that many operations share are told in one."""
    places: dict[str, list[str]] = {}
    for change in found:
        head, space, status = change.where.rpartition(" ")
        shared = bool(space) and status.isdigit()
        text = f"{status}: {change.what}" if shared else f"`{change.where}`: {change.what}"
        places.setdefault(text, []).append(head)
    return "\n".join(
        f"- {text}" + (f" ({_where(heads)})" if text[0] != "`" else "")
        for text, heads in places.items()
    )


def _where(heads: list[str]) -> str:
    return f"`{heads[0]}`" if len(heads) == 1 else f"{len(heads)} operations"
