"""What a loss of the user's own that a server may run is given (release 0.38.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    from tinker_api import models as api

#: Dimensions of a tensor: 0 of one number, 1 of one a target, 2 of several a target.
CustomLossInputRank: TypeAlias = Literal[0, 1, 2]


@frozen
class CustomLossInput:
    """A parameter: ``logprobs`` or a key of ``loss_fn_inputs``, and its dimensions."""

    name: str
    rank: CustomLossInputRank = field()

    @rank.validator
    def _check(self, _attribute: object, value: object) -> None:
        if type(value) is not int or not 0 <= value <= 2:
            raise InvalidInputError(
                f"{self.name} has 0, 1 or 2 dimensions, got {value!r}", where="input_ranks"
            )

    def to_api(self) -> api.CustomLossInput:
        """The generated model."""
        from tinker_api import models as api

        return api.CustomLossInput(name=self.name, rank=self.rank)
