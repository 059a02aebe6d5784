"""What a client sends by itself: a fault of it is no trouble of the user's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultmatrix.scene import Scene

#: Seconds between heartbeats.
INTERVAL = 0.05
#: How often a heart beats is not for a cell to say, only that no beat is repeated.
MANY = 1_000_000
#: Seconds in which the first heartbeat is answered and a second one comes, if it is to come. All
#: cells run at once.
PATIENCE = 6.0


def sample_after_heartbeats(scene: Scene) -> str:
    """Open a sampling session after two heartbeats, or after one that was the last."""
    with scene.client(heartbeat_interval=INTERVAL, telemetry=False) as service:
        service.create_sampling_client(base_model="fake/model")
        before, until = scene.requests("session_heartbeat"), time.monotonic() + PATIENCE
        while scene.requests("session_heartbeat") < before + 2 and time.monotonic() < until:
            time.sleep(0.01)
        scene.server.listen()
        return service.create_sampling_client(base_model="fake/model").sampling_session_id[:8]


def close_with_telemetry(scene: Scene) -> str:
    """Open a session and close it, which sends what there is to tell."""
    with scene.client(telemetry=True) as service:
        service.create_sampling_client(base_model="fake/model")
    return "closed"


def ask_at_all(scene: Scene) -> int:
    """Make a first request, before which the server is asked what it speaks."""
    with scene.client(telemetry=False) as service:
        return len(service.get_server_capabilities().supported_models)
