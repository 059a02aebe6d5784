"""Responses that describe sessions, samplers and the owner of a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from tinker_ext.types.records import Record
from tinker_ext.types.structuring import ResponseType

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class GetSessionResponse(ResponseType):
    """The training runs and samplers of a session, by id."""

    training_run_ids: list[str] = field(factory=list)
    sampler_ids: list[str] = field(factory=list)
    user_metadata: dict[str, str] | None = None
    display_name: str | None = None


@frozen
class ListSessionsResponse(ResponseType):
    """A page of session ids."""

    sessions: list[str] = field(factory=list)


@frozen
class GetSamplerResponse(ResponseType):
    """The model of a sampling session; `model_path` is None for a base model."""

    sampler_id: str
    base_model: str
    model_path: str | None = None


@frozen
class WhoamiResponse(Record):
    """The owner of a credential. `email` is None if the owner is not a person."""

    user_urn: str
    org_urn: str
    email: str | None = None

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> WhoamiResponse:
        """Reads the claims of a JWT.

        Raises:
            KeyError: the claims name no user or organization.
        """
        return cls(
            user_urn=claims["sub"],
            org_urn=f"tml:organization:{claims['org_id']}",
            email=claims.get("email") or None,
        )
