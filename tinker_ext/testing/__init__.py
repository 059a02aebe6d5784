"""Servers that answer as a test tells them: for tests of code that uses this client.

`FakeServer` answers in memory, nothing listens and nothing is sent:

    server = FakeServer()
    server.answer("optim_step", Reply(503), Reply(200, {"request_id": "7"}))
    with make_client(server) as service:
        ...
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [1, 2, 3]

`FaultServer` answers on a real socket of this machine, and can do there what servers and proxies
do: break off, trickle, send half, send nonsense (`tinker_ext.testing.faults` has them by name):

    with FaultServer() as server:
        server.answer("asample", faults.reset(), faults.half_sent(), faults.proxy_page(502))
        service = ServiceClient(base_url=server.url, api_key="tml-test")
        ...

Both answer every operation with made-up numbers of the right shape; what they are told to answer
comes first, in order, by the operation's id. They keep every request they got, and notice when a
number that they have counted is used for a different request. `SimulatedTime` makes retries and
pauses pass at once.
"""

from __future__ import annotations

from tinker_ext.testing import faults
from tinker_ext.testing.fake import BASE_URL, FakeServer, make_client
from tinker_ext.testing.fault_server import FaultServer
from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import Received, Reply
from tinker_ext.testing.replies import Replies
from tinker_ext.testing.simulated_time import SimulatedTime

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
