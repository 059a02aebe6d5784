"""Sessions and samplers as a server lists them, and who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from tinker_ext.types.unset import as_dict, or_default, or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinker_api import models as api


@frozen
class GetSessionResponse:
    """What was made in a session: training runs and samplers, by id."""

    training_run_ids: list[str] = field(factory=list)
    sampler_ids: list[str] = field(factory=list)
    user_metadata: dict[str, str] | None = None
    display_name: str | None = None

    @classmethod
    def from_api(cls, model: api.GetSessionResponse) -> GetSessionResponse:
        """Read an answer; missing lists become empty."""
        return cls(
            training_run_ids=or_default(model.training_run_ids, []),
            sampler_ids=or_default(model.sampler_ids, []),
            user_metadata=as_dict(model.user_metadata),
            display_name=or_none(model.display_name),
        )


@frozen
class ListSessionsResponse:
    """A page of sessions, by id."""

    sessions: list[str] = field(factory=list)

    @classmethod
    def from_api(cls, model: api.ListSessionsResponse) -> ListSessionsResponse:
        """Read a page; a missing list becomes empty."""
        return cls(or_default(model.sessions, []))


@frozen
class GetSamplerResponse:
    """What a sampling session samples from; `model_path` is None for a base model."""

    sampler_id: str
    base_model: str
    model_path: str | None = None

    @classmethod
    def from_api(cls, model: api.GetSamplerResponse) -> GetSamplerResponse:
        """Read an answer."""
        return cls(model.sampler_id, model.base_model, or_none(model.model_path))


@frozen
class WhoamiResponse:
    """Who a key belongs to. `email` is None where there is no person behind it."""

    user_urn: str
    org_urn: str
    email: str | None = None

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> WhoamiResponse:
        """Read the claims of a token; KeyError where it names nobody."""
        return cls(
            user_urn=claims["sub"],
            org_urn=f"tml:organization:{claims['org_id']}",
            email=claims.get("email") or None,
        )
