"""What a server asks of its clients at the start: the flags of `client/config`, and of
`client/dynamic_config`, which may change while a client runs.

Names are the wire's, defaults those that release 0.38.0 assumes of a server that leaves a flag out.
A flag of another type than expected counts as left out, one that is not known here is passed over.

The flags that a server sends also tell of which release it is, because each release has flags that
those before it did not have. That is a lower bound: a server may send fewer than it could.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The releases whose requests differ, oldest first: those kept in `openapi/releases`.
RELEASES = ("0.4.1", "0.24.1", "0.25.0", "0.32.0", "0.38.0")

# What a release's `client/config` has that no earlier one's had, newest first
# (types/client_config_response.py of the releases kept).
_TELLING = (
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


class _Read:
    """Reads known fields from an answer."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """The flags of an answer; what is missing or makes no sense has its default."""
        known = attrs.fields_dict(cls)  # type: ignore[arg-type]  # the subclasses are attrs classes
        found = {
            name: value
            for name, value in answer.items()
            if name in known and _fits(known, name, value)
        }
        return cls(**found)


def _fits(known: Mapping[str, attrs.Attribute[Any]], name: str, value: object) -> bool:
    default = known[name].default
    return type(value) is type(default) and not (isinstance(value, int) and value < 0)


@frozen(kw_only=True)
class Flags(_Read):
    """What `client/config` says, once at the start. Sizes in bytes, durations in seconds."""

    pjwt_auth_enabled: bool = False
    credential_default_source: str = "api_key"

    parallel_fwdbwd_chunks: bool = True
    proto_compress_fwdbwd: bool = False
    fwdbwd_max_chunk_len: int = 1024
    fwdbwd_max_chunk_bytes_count: int = 5_000_000
    fwdbwd_dispatch_bytes_semaphore_size: int = 50_000_000
    #: Of releases that had both JSON and protobuf (0.24.1).
    proto_write_fwdbwd: bool = False
    fwd_via_fwdbwd: bool = False
    #: Of releases that made a model from saved weights in two ways (0.24.1 to 0.32.0).
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
class DynamicFlags(_Read):
    """What `client/dynamic_config` says; to be asked again after `refresh_interval_sec` seconds."""

    refresh_interval_sec: int = 300
    sample_cancel_enabled: bool = False
    sample_cancel_max_batch_size: int = 64

    @property
    def refresh_seconds(self) -> float:
        """Seconds until the next question; 0.38.0 takes 10 at least."""
        return max(10.0, float(self.refresh_interval_sec))


def release_of(answer: Mapping[str, Any]) -> str:
    """The newest of `RELEASES` that an answer of `client/config` shows."""
    for release, names in _TELLING:
        if not names.isdisjoint(answer):
            return release
    return "0.24.1"  # The first of them that asks at all.


def at_least(release: str, other: str) -> bool:
    """Whether `release` is `other` or a later one; both are of `RELEASES`."""
    return RELEASES.index(release) >= RELEASES.index(other)
