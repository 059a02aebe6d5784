"""Arguments of the official SDK that have a different equivalent in this client."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

from tinker_ext.errors import InvalidInputError


def warn_of_unused_name(name: str | None) -> None:
    """Warn that `name` is ignored, as both releases of the official SDK do."""
    if name is not None:
        warnings.warn(
            f"save_weights_and_get_sampling_client ignores the name {name!r}: its weights exist "
            "as long as the session. Use save_weights_for_sampler to keep them under a name",
            UserWarning,
            stacklevel=3,
        )


def check_loss_type_input(loss_type_input: Literal["logprobs"] | None) -> None:
    """Reject any input of a custom loss but logprobs, as release 0.38.0 does.

    Raises:
        InvalidInputError: it is neither None nor "logprobs".
    """
    if loss_type_input not in (None, "logprobs"):
        raise InvalidInputError(
            f"expected 'logprobs', the only input of a loss, got {loss_type_input!r}",
            where="loss_type_input",
        )


def with_headers(config: dict[str, Any], overrides: Mapping[str, str] | None) -> dict[str, Any]:
    """The settings with `default_headers_overrides`, 0.38.0's name of `default_headers`.

    If both set a header, `default_headers_overrides` wins.
    """
    if overrides is None:
        return config
    headers = config.get("default_headers") or {}
    for mapping in (headers, overrides):
        if not isinstance(mapping, Mapping):  # ClientConfig rejects it.
            return {**config, "default_headers": mapping}
    return {**config, "default_headers": {**headers, **overrides}}
