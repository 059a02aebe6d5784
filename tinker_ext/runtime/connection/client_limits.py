"""Limits of the work one client has in flight: the user's settings, or the server's flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.protocol.server_protocol import Flags
from tinker_ext.runtime.concurrency.budget import Budget

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig

# Concurrent polls; each uses a socket. Ours, the number of samples that 0.4.1 dispatches at once. A
# server holds a poll for less than a minute, and waiting polls are served in order, so the oldest
# requests are polled first.
POLLS = 400
# Response bodies of the maximum size that one client reads at the same time; ours.
LARGEST_BODIES = 4


class ClientLimits:
    """The budgets of one client.

    Attributes:
        samples: samples between submission and result.
        sample_bytes: estimated bytes of samples that are being submitted.
        training_bytes: bytes of training requests that are being submitted.
        polls: concurrent polls.
        result_bytes: bytes of results that are being fetched after their size was announced.
        body_bytes: bytes of large response bodies that are being read.
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
        """Apply the server's limits, except those that the user has set."""
        self.sample_bytes.resize(flags.sample_dispatch_bytes_semaphore_size)
        self.result_bytes.resize(flags.inflight_response_bytes_semaphore_size)
        if self._config.is_default("max_training_bytes_in_flight"):
            self.training_bytes.resize(flags.fwdbwd_dispatch_bytes_semaphore_size)
        if self._config.is_default("max_samples_in_flight"):
            self.samples.resize(flags.sample_max_concurrent_requests)
