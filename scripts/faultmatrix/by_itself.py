"""Calls that have a client send by itself what only a server of a later release wants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from attrs import frozen

import tinker_ext as tinker
from faultmatrix.later_server import DYNAMIC, ENDLESS, LIFE, LaterServer
from faultmatrix.outcomes import Without
from tinker_ext.clients.sampling import SamplingClient
from tinker_ext.rules.completions import SEQ_IDS_PER_CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultmatrix.scene import Scene

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
FOR_EVER = tinker.ModelInput.from_ints(ENDLESS)
PARAMS = tinker.SamplingParams(max_tokens=4)
#: Seconds in which what is sent in the background arrives, and at least between looks. All cells
#: run at once.
PATIENCE, PAUSE = 30.0, 0.05
#: Seconds of its life that a token has left when it is replaced before it is used.
NEAR_THE_END = 30.0


def _later(scene: Scene) -> LaterServer:
    assert isinstance(scene.server, LaterServer)
    return scene.server


def _models(service: tinker.ServiceClient) -> int:
    return len(service.get_server_capabilities().supported_models)


def _knows_dynamic(service: tinker.ServiceClient) -> bool:
    announced: int = DYNAMIC["sample_cancel_max_batch_size"]
    return service.server_protocol.dynamic.sample_cancel_max_batch_size == announced


def _wait(arrived: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    started = time.monotonic()
    while not arrived() and (passed := time.monotonic() - started) < PATIENCE:
        meanwhile()
        time.sleep(max(PAUSE, passed / 4))


def introduce(scene: Scene) -> Any:
    """Two calls of a new client; it may do without the flags."""
    with scene.client(telemetry=False) as service:
        result = [_models(service), _models(service)]
        return result if service.server_protocol.flags is not None else Without(result)


def introduce_wholly(scene: Scene) -> Any:
    """A call of a new client; it may do without the dynamic flags."""
    with scene.client(telemetry=False) as service:
        result = _models(service)
        return result if _knows_dynamic(service) else Without(result)


def introduced(scene: Scene) -> Scene:
    """A client that knows the server, whose tokens end by the client's time."""
    _later(scene).wall = scene.time.clock.wall
    _models(scene.service)
    return scene


def ask_when_due(scene: Scene) -> Any:
    """Calls of a client whose dynamic flags are due, until they have been asked for twice."""
    # A server that is gone when it is asked is back for the call beside the question.
    scene.time.on_sleep = lambda _: scene.server.listen()
    result: list[int] = []

    def call_later() -> None:
        scene.time.pass_by(DYNAMIC["refresh_interval_sec"])
        scene.server.listen()
        result[:] = [_models(scene.service)]

    asked = "get_client_dynamic_config"
    before = scene.requests(asked)
    _wait(lambda: scene.requests(asked) >= before + 2, call_later)
    scene.time.slept.clear()  # Chance: a call may have been on its way when the server went.
    asked_twice = scene.requests(asked) >= before + 2
    return result if asked_twice and _knows_dynamic(scene.service) else Without(result)


def call_after_a_revocation(scene: Scene) -> int:
    """A call whose token is no longer accepted."""
    _later(scene).live.clear()
    return _models(scene.service)


def call_near_the_end(scene: Scene) -> Any:
    """A call whose token is soon over; it may do with that."""
    server = _later(scene)
    given = set(server.live)
    scene.time.pass_by(LIFE - NEAR_THE_END)
    result = _models(scene.service)
    sent = server.calls("get_server_capabilities")[-1].headers["x-api-key"]
    return result if sent not in given else Without(result)


@frozen
class Opened:
    """A client of a sampling session."""

    scene: Scene
    sampler: tinker.SamplingClient


def opened(scene: Scene) -> Opened:
    return Opened(scene, scene.service.create_sampling_client(base_model="fake/model"))


def sample(it: Opened) -> Any:
    """A sample; its client may ask for the result without having heard that it is there."""
    result = it.sampler.sample(PROMPT, 1, PARAMS).result()
    return result if it.scene.service._core.batch_pollers.available else Without(result)


def sample_in_a_copy(it: Opened) -> Any:
    """A sample of a copy of the client; it may have a number from anywhere."""
    scene = it.scene
    # As one that is unpickled elsewhere, but on the same core, whose time is simulated.
    copy = SamplingClient(scene.service._core, it.sampler.sampling_session_id, elsewhere=True)
    result = copy.sample(PROMPT, 1, PARAMS).result()
    place = scene.server.calls("asample")[-1].body["seq_id"] // SEQ_IDS_PER_CLIENT
    return result if place <= scene.requests("join_sampling_session") else Without(result)


def give_one_up(scene: Scene) -> Any:
    """A sample beside one that is given up; the server may not hear of that."""
    server = _later(scene)
    with scene.client(telemetry=False) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        polls = server.polls_for_ever
        given_up, kept = sampler.sample(FOR_EVER, 1, PARAMS), sampler.sample(PROMPT, 1, PARAMS)
        result = kept.result()
        _wait(lambda: server.polls_for_ever > polls)
        given_up.cancel()
    scene.time.slept.clear()  # Between polls, which are none of the request to cancel.
    return result if server.endless <= server.cancelled else Without(result)
