# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

from ..models.custom_loss_input_rank import CustomLossInputRank, check_custom_loss_input_rank

T = TypeVar("T", bound="CustomLossInput")


@_attrs_define
class CustomLossInput:
    """A parameter of a loss function."""

    name: str
    """ Its name. """
    rank: CustomLossInputRank
    """ A number of dimensions. """

    def to_dict(self) -> dict[str, Any]:
        name = self.name

        rank: int = self.rank

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "name": name,
                "rank": rank,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = d.pop("name")

        rank = check_custom_loss_input_rank(d.pop("rank"))

        custom_loss_input = cls(
            name=name,
            rank=rank,
        )

        return custom_loss_input
