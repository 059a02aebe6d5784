"""Arguments that the official SDK's users pass, whose purpose something else has here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

from tinker_ext.errors import InvalidInputError


def check_retry_config(given: object) -> None:
    """Refuse bounds of one client's retries; None, the official default, asks for none.

    Raises:
        InvalidInputError: naming the settings that take their place.
    """
    if given is not None:
        raise InvalidInputError(
            f"{type(given).__name__} is not known here; retries are bounded by settings of "
            "ServiceClient: retry_window, future_timeout, max_samples_in_flight",
            where="retry_config",
        )


def warn_of_unused_name(name: str | None) -> None:
    """Warn that weights saved for a sampling client have no name, which both releases ignore."""
    if name is not None:
        warnings.warn(
            f"save_weights_and_get_sampling_client saves nothing under the name {name!r}: its "
            "weights live as long as the session. save_weights_for_sampler keeps them under a name",
            UserWarning,
            stacklevel=3,
        )


def check_loss_type_input(given: Literal["logprobs"] | None) -> None:
    """Refuse to hand a loss anything but logprobs, as release 0.38.0 does.

    Raises:
        InvalidInputError: something else is asked for.
    """
    if given not in (None, "logprobs"):
        raise InvalidInputError(
            f"a loss is given logprobs and nothing else, got {given!r}", where="loss_type_input"
        )


def with_headers(config: dict[str, Any], overrides: Mapping[str, str] | None) -> dict[str, Any]:
    """The settings with `default_headers_overrides`, which is 0.38.0's name of `default_headers`.

    A header under both names has the value that the first one gives it.
    """
    if overrides is None:
        return config
    given = config.get("default_headers") or {}
    for one in (given, overrides):
        if not isinstance(one, Mapping):  # Refused where settings are read.
            return {**config, "default_headers": one}
    return {**config, "default_headers": {**given, **overrides}}
