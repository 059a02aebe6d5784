"""The reasons for deliberate differences between a contract and the official package."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from codegen.documents import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.oracle.facts import Difference

FILE = Path(__file__).parent / "reasons.yaml"


@frozen
class Reason:
    """Patterns for differences, and why they are deliberate."""

    place: str
    why: str
    package: str = "*"
    contract: str = "*"

    def explains(self, difference: Difference) -> bool:
        return (
            fnmatchcase(difference.place, self.place)
            and fnmatchcase(difference.package, self.package)
            and fnmatchcase(difference.contract, self.contract)
        )


def load_reasons() -> list[Reason]:
    return [Reason(**entry) for entry in load_yaml(FILE)["reasons"]]


def unexplained(differences: Iterable[Difference], reasons: list[Reason]) -> list[Difference]:
    """The differences that no reason explains."""
    return [item for item in differences if not any(reason.explains(item) for reason in reasons)]
