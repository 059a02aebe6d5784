"""Responses that describe sessions, samplers and the owner of a credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tinker_ext.types.display import abbreviated
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import ResponseType
from tinker_ext.types.unset import or_none


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

    sessions: list[str] = field(factory=list, repr=abbreviated)


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


@frozen
class OwnApiKeyResponse(Record):
    """An API key without the key itself: its id, name, note and owner."""

    key_id: int
    name: str
    note: str | None = None
    organization: str | None = None
    email: str | None = None

    @classmethod
    def from_api(cls, model: Any) -> OwnApiKeyResponse:
        """Decodes the response; the owner's fields are nested in it."""
        details = or_none(model.details)
        organization = None if details is None else or_none(details.org_details)
        user = None if details is None else or_none(details.user_details)
        return cls(
            key_id=model.key_id,
            name=model.name,
            note=or_none(model.note),
            organization=None if organization is None else or_none(organization.name),
            email=None if user is None else or_none(user.email),
        )
