"""Grades this project's clients and the official ones with `tinker_ext.testing.conformance`.

`ports/GRADES.md` keeps the grades; `make grades` writes it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from attrs import field, frozen

from codegen import npm
from codegen.paths import ROOT
from conformance.interop.environments import python_of, variables
from tinker_ext.testing.conformance import RULES, Report, grade, table

if TYPE_CHECKING:
    from collections.abc import Mapping

GRADES = ROOT / "ports" / "GRADES.md"
TYPESCRIPT = ROOT / "ports" / "typescript"
DRIVER = ROOT / "tinker_ext" / "testing" / "conformance" / "driver.py"
OFFICIAL = ("0.4.1", "0.38.0")
#: Rules that an official client breaks or passes from run to run, depending on the machine's load.
UNSTABLE = (
    "attempts.shared_pause",
    "cancellation.sent",
    "heartbeats.interval",
    "polls.limited",
    "polls.pause",
    "session.closed",
)

_HEAD = f"""# Grades of clients

Written by `make grades`. `tinker-ext conformance` graded these clients by the rules of the
[porting guide](../docs/porting.md); [conformance.md](../docs/conformance.md) describes the grader.
Failures of the packages `tinker` are those of the official clients. Some of these depend on timing
and differ from run to run: {", ".join(f"`{rule}`" for rule in UNSTABLE)}.

An empty cell: the rule does not exist in that protocol.
"""


@frozen
class Client:
    """A client under test: the command and the variables of its driver."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(factory=lambda: dict(os.environ))


def clients() -> list[Client]:
    """This project's clients and the official ones; creates environments and builds if needed."""
    return [
        Client((sys.executable, "-m", "tinker_ext.testing.conformance.driver")),
        Client(("node", str(typescript_driver()))),
        # -P, because the driver's folder has modules of this project.
        *elixir_clients(),
        *(
            Client((str(python_of(release)), "-P", str(DRIVER), "tinker"), variables())
            for release in OFFICIAL
        ),
    ]


def elixir_clients() -> list[Client]:
    """The Elixir client, if Elixir is installed; it is not a requirement of the tests."""
    if shutil.which("elixir") is None:
        return []
    return [Client(("elixir", str(ROOT / "ports" / "elixir" / "driver.exs")))]


def typescript_driver() -> str:
    """The compiled driver of the TypeScript client, compiled anew if a source is newer."""
    driver = TYPESCRIPT / "dist" / "conformance" / "driver.js"
    sources = [
        path
        for folder in ("src", "test", "conformance")
        for path in (TYPESCRIPT / folder).rglob("*.ts")
    ]
    built = driver.stat().st_mtime if driver.is_file() else 0.0
    if any(path.stat().st_mtime > built for path in sources):
        npm.run(TYPESCRIPT, "npm", "run", "build")
    return str(driver)


def graded() -> list[Report]:
    """The reports of all clients, which are graded at the same time."""
    chosen = clients()
    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(
            pool.map(lambda client: grade(client.command, environment=client.environment), chosen)
        )


def document(reports: list[Report]) -> str:
    """The content of `GRADES`."""
    rules = [
        f"| `{rule.id}` | {rule.statement} | {rule.level} | [{rule.section}](../{rule.reference}) |"
        for rule in RULES.values()
    ]
    head = ["## Rules", "", "| rule | statement | level | section |", "|---|---|---|---|"]
    return "\n".join([_HEAD, table(reports), "", *head, *rules, ""])


def listed_failures(text: str) -> dict[str, set[tuple[str, str]]]:
    """The failed rules and their protocols that the document lists for each client."""
    failures: dict[str, set[tuple[str, str]]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        client, _, rows = section.partition("\n")
        pairs = re.findall(r"^\| `([\w.]+)` \| (0[\d.]+) \|", rows, flags=re.MULTILINE)
        failures[client] = set(pairs)
    return failures
