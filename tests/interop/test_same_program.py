"""One program sends the same with an official SDK and with this client, and comes to the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from interop.same import TORCH, Played, play

# The first run makes the environments as well.
pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not TORCH.is_dir(), reason="`make test-torch` fetches torch"),
]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
SERVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JSON": ("0.24.1", {}),
    "protobuf": ("0.38.0", {"custom_loss_server_side": False}),
    "losses on the server": ("0.38.0", {"custom_loss_server_side": True}),
}


@pytest.fixture(scope="module", params=list(SERVERS))
def pair(request: pytest.FixtureRequest) -> tuple[str, Played, Played]:
    """The server's name; the official SDK's run, and this client's."""
    release, flags = SERVERS[request.param]
    later = "yes" if release == "0.38.0" else "no"
    theirs, ours = (play(one, flags, DRIVER_LATER=later) for one in (release, None))
    return request.param, theirs, ours


def test_all_steps_come_to_the_same(pair: tuple[str, Played, Played]) -> None:
    _, theirs, ours = pair
    assert theirs.run.failures == {}
    assert ours.run.failures == {}
    found = [{name: one.value for name, one in it.run.steps.items()} for it in (theirs, ours)]
    assert found[0] == found[1]


def test_all_requests_are_the_same(pair: tuple[str, Played, Played]) -> None:
    _, theirs, ours = pair
    assert ours.sent == theirs.sent


def test_the_program_has_sent_what_it_is_for(pair: tuple[str, Played, Played]) -> None:
    server, _, ours = pair
    counted = Counter((one.operation, one.media_type) for one in ours.sent)
    expected = {
        "JSON": {("forward_backward", JSON): 2, ("forward", JSON): 1, ("asample", JSON): 1},
        # A forward pass is a flag there; the loss's two requests run here.
        "protobuf": {("forward_backward", PROTOBUF): 6, ("asample", JSON): 2},
        # The third of the losses that are to be refused is one that torch makes a sum of.
        "losses on the server": {
            ("forward_backward", PROTOBUF): 5,
            ("asample", JSON): 2,
            ("create_custom_loss", JSON): 4,
        },
    }
    assert counted == expected[server]
