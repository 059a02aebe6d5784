"""The environment of one cell: a server, simulated time, and clients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import define, field

import tinker_ext as tinker
from tinker_ext.testing import FaultServer, SimulatedTime, make_client

#: The response limit of the clients, small enough to exceed it without gigabytes.
MAX_RESPONSE_BYTES = 1_000_000


@define(slots=False)
class Environment:
    """A server, and clients with the settings of a case."""

    server: FaultServer
    settings: Mapping[str, Any]
    time: SimulatedTime = field(factory=SimulatedTime)

    @cached_property
    def service(self) -> tinker.ServiceClient:
        """The client that makes the call under test."""
        return self.client()

    def client(self, **overrides: Any) -> tinker.ServiceClient:
        """Create another client; `overrides` win over the settings of the case."""
        defaults = {"retry_window": 60, "billing_window": 60, "future_timeout": 200}
        return make_client(
            base_url=self.server.url,
            clock=self.time.clock,
            max_response_bytes=MAX_RESPONSE_BYTES,
            **{**defaults, **self.settings, **overrides},
        )

    def request_count(self, endpoint: str) -> int:
        """The number of requests to an operation that the server has received."""
        return len(self.server.calls(endpoint))
