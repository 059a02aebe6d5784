"""Fake servers for tests of code that uses this client.

`FakeServer` responds in memory, without a network:

    server = FakeServer()
    server.respond("optim_step", Reply(503), Reply(200, {"request_id": "7"}))
    with make_client(server) as service:
        ...
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [1, 2, 3]

`FaultServer` responds on a local socket and can reproduce the faults of servers and proxies:
dropped connections, slow, truncated or malformed responses. `tinker_ext.testing.faults` lists them:

    with FaultServer() as server:
        server.respond("asample", faults.reset(), faults.half_sent(), faults.proxy_page(502))
        service = ServiceClient(base_url=server.url, api_key="tml-test")
        ...

Both servers respond to every operation with valid example values. Replies passed to `respond`, by
the operation's id, come first, in order. The servers record all requests, and detect a sequence
number that is reused for a different request. `SimulatedTime` lets retries and pauses take no time.
"""

from __future__ import annotations

import warnings

from tinker_ext.testing import faults
from tinker_ext.testing.fake import BASE_URL, FakeServer, SimulatedTime, make_client
from tinker_ext.testing.fault_server import FaultServer
from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import Received, Reply
from tinker_ext.testing.replies import Replies

__all__ = [
    "BASE_URL",
    "FakeServer",
    "Fault",
    "FaultServer",
    "Received",
    "Replies",
    "Reply",
    "SimulatedTime",
    "faults",
    "make_client",
]


_RENAMED = {"Answers": Replies}


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        current = _RENAMED[name]
        message = f"testing.{name} is deprecated; use testing.{current.__name__}"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return current
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
