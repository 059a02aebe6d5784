"""Reasons for the differences between servers of other projects and the specification.

`openapi/traffic.json` has the problems of each server under `tinker.yaml`, and under the contract
of the release that the server implements; `openapi/server_differences.yaml` has the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from codegen.documents import load_yaml
from codegen.paths import SERVER_DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codegen.documents import Json


@dataclass(frozen=True)
class Problem:
    """A difference of a server's responses from a document.

    Attributes:
        under: `tinker.yaml` or `release` for a response, `requests` for a request.
        text: the operation, the place in the message, and the violated rule.
    """

    server: str
    under: str
    text: str

    def __str__(self) -> str:
        return f"{self.server}, {self.under}: {self.text}"


@dataclass(frozen=True)
class ServerDifference:
    """A reason: patterns for problems, which side is wrong, and why.

    Attributes:
        servers: the names of the servers.
        under: as in `Problem`.
        problem: a pattern for the text of a problem (`*` for any text).
        wrong: `server`, or `specification` if it describes the official service only.
    """

    servers: tuple[str, ...]
    under: str
    problem: str
    wrong: str
    why: str

    def explains(self, problem: Problem) -> bool:
        return (
            problem.server in self.servers
            and problem.under == self.under
            and fnmatchcase(problem.text, self.problem)
        )


def load_server_differences() -> list[ServerDifference]:
    entries = load_yaml(SERVER_DIFFERENCES)["differences"]
    return [ServerDifference(**{**entry, "servers": tuple(entry["servers"])}) for entry in entries]


def server_problems(servers: Json) -> list[Problem]:
    """The problems of the entries of servers in `openapi/traffic.json`, each once."""
    return list(dict.fromkeys(_problems(servers)))


def _problems(servers: Json) -> Iterator[Problem]:
    for name, entry in servers.items():
        for summary in entry["clients"].values():
            for under, texts in summary["problems"].items():
                yield from (Problem(name, under, text) for text in texts)


def unexplained(
    problems: Iterable[Problem], differences: Iterable[ServerDifference]
) -> list[Problem]:
    """The problems that no reason explains."""
    reasons = list(differences)
    return [item for item in problems if not any(reason.explains(item) for reason in reasons)]
