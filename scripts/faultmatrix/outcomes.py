"""What may come of a cell, beside the errors, which have their own names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from faultmatrix.cases import Case

#: The right result, at the first attempt, and after further ones.
VALUE, AGAIN = "value", "retried, value"
#: The right result, got without what the server did not answer.
WITHOUT = "value without it"


@frozen
class Without:
    """A result that was got without what its call would have used."""

    value: Any


@frozen
class Ends:
    """What is to come of an operation, by what happens to it.

    Attributes:
        passing: of faults that pass.
        lasting: of those that last; None: the error that a call of the user's gets.
        but: of single cases, by their name.
    """

    passing: str
    lasting: str | None = None
    but: dict[str, str] = field(factory=dict)

    def of(self, case: Case) -> str:
        if case.name in self.but:
            return self.but[case.name]
        match case.kind:
            case "harmless":
                return VALUE
            case "passing":
                return self.passing
        return case.default_reply("call") if self.lasting is None else self.lasting
