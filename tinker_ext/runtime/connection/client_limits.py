"""How much one client has under way at once: the user's limits, or those that the server names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.protocol.flags import Flags
from tinker_ext.runtime.concurrency.budget import Budget

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig

# Polls under way at once: each is a socket. Ours; as many as 0.4.1 lets samples be dispatched. A
# server holds a poll for less than a minute, and those in line come first come first served, so the
# oldest requests are the ones that are polled.
POLLS = 400
# Bodies of the largest size that one client reads at once; ours.
LARGEST_BODIES = 4


class ClientLimits:
    """The budgets of one client.

    Attributes:
        samples: samples between submission and result.
        sample_bytes: bytes of samples being submitted, estimated.
        training_bytes: bytes of training requests being submitted.
        polls: requests for results.
        result_bytes: bytes of results that announced their size, being fetched.
        body_bytes: bytes of large bodies of any responses, being read.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        assumed = Flags()
        self.samples = Budget(config.max_samples_in_flight)
        self.sample_bytes = Budget(assumed.sample_dispatch_bytes_semaphore_size)
        self.training_bytes = Budget(config.max_training_bytes_in_flight)
        self.polls = Budget(POLLS)
        self.result_bytes = Budget(assumed.inflight_response_bytes_semaphore_size)
        self.body_bytes = Budget(LARGEST_BODIES * config.max_response_bytes)

    def apply_server_flags(self, flags: Flags) -> None:
        """Keep to what the server names, where the user has named nothing else."""
        self.sample_bytes.resize(flags.sample_dispatch_bytes_semaphore_size)
        self.result_bytes.resize(flags.inflight_response_bytes_semaphore_size)
        if self._config.is_default("max_training_bytes_in_flight"):
            self.training_bytes.resize(flags.fwdbwd_dispatch_bytes_semaphore_size)
        if self._config.is_default("max_samples_in_flight"):
            self.samples.resize(flags.sample_max_concurrent_requests)
