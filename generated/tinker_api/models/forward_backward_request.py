# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.forward_backward_input import ForwardBackwardInput


T = TypeVar("T", bound="ForwardBackwardRequest")


@_attrs_define
class ForwardBackwardRequest:
    """A forward and a backward pass."""

    forward_backward_input: ForwardBackwardInput
    """ Examples and the loss to compute on them. """
    model_id: str
    """ The id of a model being trained and of its training run. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """

    def to_dict(self) -> dict[str, Any]:
        forward_backward_input = self.forward_backward_input.to_dict()

        model_id = self.model_id

        seq_id: int | None | Unset = self.seq_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "forward_backward_input": forward_backward_input,
                "model_id": model_id,
            }
        )
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.forward_backward_input import ForwardBackwardInput  # noqa: PLC0415

        d = dict(src_dict)
        forward_backward_input = ForwardBackwardInput.from_dict(d.pop("forward_backward_input"))

        model_id = d.pop("model_id")

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        forward_backward_request = cls(
            forward_backward_input=forward_backward_input,
            model_id=model_id,
            seq_id=seq_id,
        )

        return forward_backward_request
