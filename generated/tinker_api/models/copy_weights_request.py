# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="CopyWeightsRequest")


@_attrs_define
class CopyWeightsRequest:
    """Copies saved weights. The destination is a project, or a session with a number for the new run."""

    source_path: str
    """ The tinker:// path of what to copy. """
    session_id: None | str | Unset = UNSET
    """ The session to own the copy. """
    model_seq_id: int | None | Unset = UNSET
    """ Counts the models of the session, as in CreateModelRequest. """
    destination_project_id: None | str | Unset = UNSET
    """ The project to own the copy, without a session. """
    ttl_seconds: int | None | Unset = UNSET
    """ Seconds until it expires, an hour to ten years; null for never. """
    weights_access_token: None | str | Unset = UNSET
    """ A token for weights of another account. Sent as a header instead. """

    def to_dict(self) -> dict[str, Any]:
        source_path = self.source_path

        session_id: None | str | Unset = self.session_id

        model_seq_id: int | None | Unset = self.model_seq_id

        destination_project_id: None | str | Unset = self.destination_project_id

        ttl_seconds: int | None | Unset = self.ttl_seconds

        weights_access_token: None | str | Unset = self.weights_access_token

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "source_path": source_path,
            }
        )
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if model_seq_id is not UNSET:
            field_dict["model_seq_id"] = model_seq_id
        if destination_project_id is not UNSET:
            field_dict["destination_project_id"] = destination_project_id
        if ttl_seconds is not UNSET:
            field_dict["ttl_seconds"] = ttl_seconds
        if weights_access_token is not UNSET:
            field_dict["weights_access_token"] = weights_access_token

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        source_path = d.pop("source_path")

        def _parse_session_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        session_id = _parse_session_id(d.pop("session_id", UNSET))

        def _parse_model_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        model_seq_id = _parse_model_seq_id(d.pop("model_seq_id", UNSET))

        def _parse_destination_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        destination_project_id = _parse_destination_project_id(
            d.pop("destination_project_id", UNSET)
        )

        def _parse_ttl_seconds(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        ttl_seconds = _parse_ttl_seconds(d.pop("ttl_seconds", UNSET))

        def _parse_weights_access_token(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        weights_access_token = _parse_weights_access_token(d.pop("weights_access_token", UNSET))

        copy_weights_request = cls(
            source_path=source_path,
            session_id=session_id,
            model_seq_id=model_seq_id,
            destination_project_id=destination_project_id,
            ttl_seconds=ttl_seconds,
            weights_access_token=weights_access_token,
        )

        return copy_weights_request
