"""A sampling client as text, to be passed to other processes. It holds no key."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Self

import attrs
from attrs import frozen

from tinker_ext.errors import InvalidInputError


@frozen(kw_only=True)
class SamplerHandle:
    """The server and the weights of a sampling client."""

    base_url: str
    #: The file with the key of an embedded backend.
    key_file: str | None
    sampling_session_id: str
    model_path: str | None = None
    base_model: str | None = None
    record_stability_info: bool = False

    def encode(self) -> str:
        """The handle as text."""
        return base64.urlsafe_b64encode(json.dumps(attrs.asdict(self)).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """The handle in a text.

        Raises:
            InvalidInputError: the text is not a handle.
        """
        try:
            content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
            key_file = content["key_file"]
            return cls(
                base_url=content["base_url"],
                key_file=None if key_file is None else str(Path(key_file)),
                sampling_session_id=content["sampling_session_id"],
                model_path=content.get("model_path"),
                base_model=content.get("base_model"),
                record_stability_info=bool(content.get("record_stability_info")),
            )
        except (ValueError, KeyError, TypeError):
            raise InvalidInputError(
                "expected the text that get_sampler_handle() returned", where="handle"
            ) from None
