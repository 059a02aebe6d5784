"""Server flags: those of `client/config`, read once, and of `client/dynamic_config`, refreshed.

Names are those of the wire; defaults are what release 0.38.0 assumes if a server omits a flag. A
flag of an unexpected type counts as omitted, and an unknown flag is ignored.

The flags also identify the server's release, since each release added some. This is a lower bound:
a server may send fewer flags than its release defines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs
from attrs import frozen

#: The releases whose requests differ, oldest first: those kept in `openapi/releases`.
RELEASES = ("0.4.1", "0.24.1", "0.25.0", "0.32.0", "0.38.0")

# Flags that each release added to `client/config`, newest first
# (types/client_config_response.py of the releases kept).
_ADDED_FLAGS = (
    ("0.38.0", frozenset({"custom_loss_server_side"})),
    ("0.32.0", frozenset({"sample_use_retrieve_futures", "sample_join_sampling_session"})),
    (
        "0.25.0",
        frozenset(
            {
                "fwdbwd_max_chunk_len",
                "fwdbwd_max_chunk_bytes_count",
                "fwdbwd_dispatch_bytes_semaphore_size",
            }
        ),
    ),
)


class _FlagSet:
    """Flags that can be read from a response body."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Returns the flags of a response body; missing and invalid flags have their defaults."""
        fields = attrs.fields_dict(cls)  # type: ignore[arg-type]  # the subclasses are attrs classes
        flags = {
            name: value
            for name, value in body.items()
            if name in fields and _is_valid(fields[name], value)
        }
        return cls(**flags)


def _is_valid(field: attrs.Attribute[Any], value: object) -> bool:
    default = field.default
    return type(value) is type(default) and not (isinstance(value, int) and value < 0)


@frozen(kw_only=True)
class Flags(_FlagSet):
    """The flags of `client/config`. Sizes in bytes, durations in seconds."""

    pjwt_auth_enabled: bool = False
    credential_default_source: str = "api_key"

    parallel_fwdbwd_chunks: bool = True
    proto_compress_fwdbwd: bool = False
    fwdbwd_max_chunk_len: int = 1024
    fwdbwd_max_chunk_bytes_count: int = 5_000_000
    fwdbwd_dispatch_bytes_semaphore_size: int = 50_000_000
    #: Sent by releases that accept both JSON and protobuf (0.24.1).
    proto_write_fwdbwd: bool = False
    fwd_via_fwdbwd: bool = False
    #: Sent by releases in which `load_weights` may create the model (0.24.1 to 0.32.0).
    create_model_via_load_weights: bool = False

    sample_dispatch_bytes_semaphore_size: int = 10 * 1024 * 1024
    inflight_response_bytes_semaphore_size: int = 50 * 1024 * 1024
    sample_max_concurrent_requests: int = 2000
    sample_no_retries: bool = False
    sample_use_retrieve_futures: bool = False
    sample_join_sampling_session: bool = False
    billing_exception_max_pause_duration_sec: int = 3600
    custom_loss_server_side: bool = False


@frozen(kw_only=True)
class DynamicFlags(_FlagSet):
    """The flags of `client/dynamic_config`, to be refreshed after `refresh_interval_sec`."""

    refresh_interval_sec: int = 300
    sample_cancel_enabled: bool = False
    sample_cancel_max_batch_size: int = 64

    @property
    def refresh_seconds(self) -> float:
        """Seconds until the next refresh, at least 10 (0.38.0)."""
        return max(10.0, float(self.refresh_interval_sec))


def release_of(config: Mapping[str, Any]) -> str:
    """Returns the newest of `RELEASES` whose flags `client/config` contains."""
    for release, names in _ADDED_FLAGS:
        if not names.isdisjoint(config):
            return release
    return "0.24.1"  # The oldest release with `client/config`.


def at_least(release: str, other: str) -> bool:
    """Whether `release` is `other` or a later one; both must be in `RELEASES`."""
    return RELEASES.index(release) >= RELEASES.index(other)
