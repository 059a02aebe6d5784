"""`openapi/EVIDENCE.md`: what the specification knows for certain, infers, and found contradicted.

Made from the extensions of the union (`x-evidence`, `x-heuristics`, `x-contradiction`,
`x-conflict`), from the overlay, and from `openapi/traffic.json`, the summary of what the official
SDKs were seen to send and to accept, where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codegen.openapi import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json

HEAD = """\
<!-- Do not edit. Made by `make spec` from the wheels, the overlay and openapi/traffic.json. -->

# Where the specification has its facts from

A fact is **certain** where it is read from the code of an official wheel by a rule that leaves no
choice, **inferred** where a heuristic or a person filled in what the code does not say, and
**contradicted** where two sources disagree. What no traffic of an official SDK has confirmed is
said to be so.
"""


def evidence(union: Json, overlay: Json, traffic: Json | None) -> str:
    sections = [
        HEAD,
        _contradicted(union),
        _settled(union),
        _inferred(union),
        _by_people(overlay),
        _certain(union, traffic),
        _confirmed(union, traffic),
    ]
    return "\n".join(sections)


def marked(value: Any, key: str, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every place in a document that has the extension `key`, by a name a reader knows."""
    if isinstance(value, list):
        for part in value:
            yield from marked(part, key, where)
    if not isinstance(value, dict):
        return
    if key in value:
        yield where, value[key]
    for name, part in value.items():
        yield from marked(part, key, _place(where, name, part))


SILENT = {"paths", "components", "schemas", "parameters", "headers", "responses", "properties"}


def _place(where: str, name: str, part: Any) -> str:
    if name in SILENT:
        return where
    if name in METHODS and isinstance(part, dict):
        return str(part.get("operationId", where))
    return name if not where or where.startswith("/") else f"{where}.{name}"


def _contradicted(union: Json) -> str:
    lines = ["## Contradicted", ""]
    lines.append("Where the overview this project began with and the wheels disagree.")
    for where, sources in marked(union, "x-contradiction"):
        lines += ["", f"### {where}", "", "| source | says |", "|---|---|"]
        lines += [f"| {name} | {_cell(text)} |" for name, text in sources.items()]
    return "\n".join([*lines, ""])


def _settled(union: Json) -> str:
    lines = ["## Contradictions between releases, and how the union settles them", ""]
    lines += ["| where | releases | settled |", "|---|---|---|"]
    for where, conflict in marked(union, "x-conflict"):
        forms = "; ".join(f"{release}: {text}" for release, text in conflict["forms"].items())
        lines.append(f"| {where} | {_cell(forms)} | {_cell(conflict['resolution'])} |")
    return "\n".join([*lines, ""])


def _inferred(union: Json) -> str:
    lines = ["## Inferred by a heuristic", "", "| where | how |", "|---|---|"]
    for where, guesses in marked(union, "x-heuristics"):
        lines.append(f"| {where} | {_cell('; '.join(guesses))} |")
    return "\n".join([*lines, ""])


def _by_people(overlay: Json) -> str:
    """Actions that add or correct facts; those that only bring names and texts are left out."""
    lines = ["## Added or corrected by people", ""]
    lines += ["| what | releases | why | evidence |", "|---|---|---|---|"]
    for action in overlay["actions"]:
        if not _is_text(action):
            cells = (
                f"`{action['target']}`",
                action.get("x-releases", "all"),
                action["x-why"],
                action["x-evidence"],
            )
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join([*lines, ""])


def _is_text(action: Json) -> bool:
    return str(action["x-why"]).startswith(("What the", "Names, tags", "The same field"))


def _certain(union: Json, traffic: Json | None) -> str:
    confirmed: dict[str, list[str]] = traffic["operations"] if traffic else {}
    lines = [
        "## Operations",
        "",
        "*Certain*: method, path, body and answer are read by rules that leave no choice. Names of",
        "path parameters are not counted, as no wire knows them.",
        "",
        "| operation | releases | reading | read from | confirmed by traffic |",
        "|---|---|---|---|---|",
    ]
    for path, item in union["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            has = " to ".join(
                [operation.get("x-since", union["x-releases"][0]), operation.get("x-until", "now")]
            )
            reading = "inferred" if "x-heuristics" in operation else "certain"
            by = ", ".join(confirmed.get(name, [])) or "no"
            source = "; ".join(operation["x-evidence"])
            title = f"`{name}` {method.upper()} {path.removeprefix('/api/v1')}"
            lines.append(f"| {title} | {has} | {reading} | {_cell(source)} | {by} |")
    schemas = union["components"]["schemas"]
    guessed = [name for name, schema in schemas.items() if "x-heuristics" in schema]
    read = [
        name
        for name, schema in schemas.items()
        if any(entry.startswith("tinker ") for entry in schema.get("x-evidence", []))
    ]
    lines += [
        "",
        f"Of {len(schemas)} types, {len(read)} are read from wheels, {len(guessed)} of them with a "
        "heuristic named above; the rest is from the overlay or from the tolerant reading.",
    ]
    return "\n".join([*lines, ""])


def _confirmed(union: Json, traffic: Json | None) -> str:
    lines = ["## Confirmed by traffic", ""]
    if traffic is None:
        return "\n".join([*lines, "No traffic has been recorded: nothing is confirmed.", ""])
    lines += [
        "Operations whose requests by the official SDK of the release were all valid, and whose",
        "valid answers it took.",
        "",
        "| release | operations | confirmed | share | not confirmed |",
        "|---|---|---|---|---|",
    ]
    for release in union["x-releases"]:
        seen = traffic["releases"].get(release)
        if seen is None:
            lines.append(f"| {release} | | 0 | 0 % | all |")
            continue
        count, good = seen["operations"], len(seen["confirmed"])
        missing = ", ".join(seen["unconfirmed"]) or "none"
        lines.append(f"| {release} | {count} | {good} | {100 * good // count} % | {missing} |")
    needed = traffic.get("needed_though_optional", [])
    if needed:
        lines += ["", "Optional in the types, but an official SDK fails without them:", ""]
        lines += [f"- `{name}`" for name in needed]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
