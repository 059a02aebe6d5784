"""What saving and loading weights answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.types.absent import known

if TYPE_CHECKING:
    from tinker_api import models as api


@frozen
class SaveWeightsResponse:
    """Where the training state was saved."""

    path: str

    @classmethod
    def from_api(cls, model: api.SaveWeightsResponse) -> SaveWeightsResponse:
        """Read an answer."""
        return cls(path=model.path)


@frozen
class LoadWeightsResponse:
    """Where the training state was loaded from, if the server says."""

    path: str | None = None

    @classmethod
    def from_api(cls, model: api.LoadWeightsResponse) -> LoadWeightsResponse:
        """Read an answer."""
        return cls(path=known(model.path))


@frozen
class SaveWeightsForSamplerResponse:
    """Where weights for sampling were saved."""

    path: str

    @classmethod
    def from_api(cls, model: api.SaveWeightsForSamplerResponse) -> SaveWeightsForSamplerResponse:
        """Read an answer."""
        return cls(path=model.path)


@frozen
class SaveWeightsForSamplerResponseInternal:
    """What a server answers to either kind of save: a path (named) or a session (ephemeral)."""

    path: str | None = None
    sampling_session_id: str | None = None

    @classmethod
    def from_api(
        cls, model: api.SaveWeightsForSamplerResponseInternal
    ) -> SaveWeightsForSamplerResponseInternal:
        """Read an answer."""
        return cls(path=known(model.path), sampling_session_id=known(model.sampling_session_id))
