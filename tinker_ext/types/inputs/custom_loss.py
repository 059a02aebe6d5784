"""Inputs of a custom loss that the server runs (release 0.38.0)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.structuring import RequestType

#: Dimensions of an input: 0 for a scalar, 1 for one number per target, 2 for several per target.
CustomLossInputRank: TypeAlias = Literal[0, 1, 2]


@frozen
class CustomLossInput(RequestType):
    """A parameter of the loss: ``logprobs`` or a key of ``loss_fn_inputs``, and its dimensions."""

    name: str
    rank: CustomLossInputRank = field()

    @rank.validator
    def _check(self, _attribute: object, value: object) -> None:
        if type(value) is not int or not 0 <= value <= 2:
            raise InvalidInputError(
                f"{self.name}: expected 0, 1 or 2 dimensions, got {value!r}", where="input_ranks"
            )
