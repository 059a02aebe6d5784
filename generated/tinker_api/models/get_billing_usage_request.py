# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

T = TypeVar("T", bound="GetBillingUsageRequest")


@_attrs_define
class GetBillingUsageRequest:
    """The query of get_billing_usage; never a body."""

    starting_on: datetime.datetime
    """ The first hour, in UTC. """
    ending_before: datetime.datetime
    """ The hour after the last one, in UTC. """

    def to_dict(self) -> dict[str, Any]:
        starting_on = self.starting_on.isoformat()

        ending_before = self.ending_before.isoformat()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "starting_on": starting_on,
                "ending_before": ending_before,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        starting_on = datetime.datetime.fromisoformat(d.pop("starting_on"))

        ending_before = datetime.datetime.fromisoformat(d.pop("ending_before"))

        get_billing_usage_request = cls(
            starting_on=starting_on,
            ending_before=ending_before,
        )

        return get_billing_usage_request
