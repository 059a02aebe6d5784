"""The program `parity` sends the same requests with an official SDK and with this client."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from conformance.interop.parity import TORCH, ProgramRun, run_parity

# The first run also creates the environments.
pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not TORCH.is_dir(), reason="`make test-torch` installs torch"),
]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
SERVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JSON": ("0.24.1", {}),
    "protobuf": ("0.38.0", {"custom_loss_server_side": False}),
    "losses on the server": ("0.38.0", {"custom_loss_server_side": True}),
}


@pytest.fixture(scope="module", params=list(SERVERS))
def pair(request: pytest.FixtureRequest) -> tuple[str, ProgramRun, ProgramRun]:
    """The name of the server, the run of the official SDK, and the run of this client."""
    release, flags = SERVERS[request.param]
    later = "yes" if release == "0.38.0" else "no"
    theirs, ours = (run_parity(client, flags, DRIVER_LATER=later) for client in (release, None))
    return request.param, theirs, ours


def test_steps_return_the_same_values(pair: tuple[str, ProgramRun, ProgramRun]) -> None:
    _, theirs, ours = pair
    assert theirs.run.failures == {}
    assert ours.run.failures == {}
    values = [
        {name: step.value for name, step in program.run.steps.items()} for program in (theirs, ours)
    ]
    assert values[0] == values[1]


def test_requests_are_the_same(pair: tuple[str, ProgramRun, ProgramRun]) -> None:
    _, theirs, ours = pair
    assert ours.sent == theirs.sent


def test_every_kind_of_request_was_sent(pair: tuple[str, ProgramRun, ProgramRun]) -> None:
    server, _, ours = pair
    counted = Counter((request.operation, request.media_type) for request in ours.sent)
    expected = {
        "JSON": {("forward_backward", JSON): 2, ("forward", JSON): 1, ("asample", JSON): 1},
        # A forward pass is a flag of forward_backward; the custom loss runs here, in two requests.
        "protobuf": {("forward_backward", PROTOBUF): 6, ("asample", JSON): 2},
        # torch turns the third of the invalid losses into a valid sum.
        "losses on the server": {
            ("forward_backward", PROTOBUF): 5,
            ("asample", JSON): 2,
            ("create_custom_loss", JSON): 4,
        },
    }
    assert counted == expected[server]
