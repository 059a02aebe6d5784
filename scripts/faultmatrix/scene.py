"""Where a cell takes place: a server, time, and clients of both."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tinker_ext.testing import FaultServer, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tinker_ext as tinker

#: Of one answer in the matrix, so that "too long" takes no gigabytes.
MOST_BYTES = 1_000_000


@define(slots=False)
class Scene:
    """A server of its own, and clients with the settings of a case."""

    server: FaultServer
    settings: Mapping[str, Any]
    time: SimulatedTime = field(factory=SimulatedTime)

    @cached_property
    def service(self) -> tinker.ServiceClient:
        """The client that the user's call is made with."""
        return self.client()

    def client(self, **more: Any) -> tinker.ServiceClient:
        """Another one."""
        default_reply = {"retry_window": 60, "billing_window": 60, "future_timeout": 200}
        return make_client(
            base_url=self.server.url,
            clock=self.time.clock,
            max_response_bytes=MOST_BYTES,
            **{**default_reply, **self.settings, **more},
        )

    def requests(self, endpoint: str) -> int:
        """How many requests of an operation the server has got."""
        return len(self.server.calls(endpoint))
