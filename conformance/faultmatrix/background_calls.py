"""Calls that make a client send background requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import frozen

import tinker_ext as tinker
from conformance.faultmatrix.environment import Environment
from conformance.faultmatrix.late_protocol_server import (
    DYNAMIC_FLAGS,
    ENDLESS_PROMPT,
    TOKEN_LIFETIME,
    LateProtocolServer,
)
from conformance.faultmatrix.outcomes import Degraded
from tinker_ext.clients.sampling import SamplingClient
from tinker_ext.rules.completions import SEQ_IDS_PER_CLIENT

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
ENDLESS = tinker.ModelInput.from_ints(ENDLESS_PROMPT)
PARAMS = tinker.SamplingParams(max_tokens=4)
#: Seconds between heartbeats.
HEARTBEAT_INTERVAL = 0.05
#: For requests whose number depends on time; the cell then only checks that none is repeated.
UNLIMITED = 1_000_000
#: Seconds in which the first heartbeat gets a response and a second one is sent, if at all. All
#: cells run at the same time.
HEARTBEAT_TIMEOUT = 6.0
#: Seconds in which background requests arrive, and the shortest interval of checks for them.
TIMEOUT, CHECK_INTERVAL = 30.0, 0.05
#: Remaining lifetime in seconds at which a token is replaced before it is used.
NEAR_EXPIRY = 30.0


def sample_after_heartbeats(env: Environment) -> str:
    """Open a sampling session after two heartbeats, or after one if the client stops."""
    with env.client(heartbeat_interval=HEARTBEAT_INTERVAL, telemetry=False) as service:
        # Creates a session and sends nothing else, because heartbeats begin at once.
        service.holder.get_session_id()
        before = env.request_count("session_heartbeat")
        deadline = time.monotonic() + HEARTBEAT_TIMEOUT
        while env.request_count("session_heartbeat") < before + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        env.server.respond_by_default()  # Another heartbeat would stop the server again.
        env.server.listen()
        return service.create_sampling_client(base_model="fake/model").sampling_session_id[:8]


def close_with_telemetry(env: Environment) -> str:
    """Open and close a session, which sends its telemetry."""
    with env.client(telemetry=True) as service:
        service.create_sampling_client(base_model="fake/model")
    return "closed"


def first_call(env: Environment) -> int:
    """Make the first call of a client, which requests `client/config` first."""
    with env.client(telemetry=False) as service:
        return _model_count(service)


def two_calls_with_flags(env: Environment) -> Any:
    """Make two calls of a new client, which also works without the flags."""
    with env.client(telemetry=False) as service:
        counts = [_model_count(service), _model_count(service)]
        return counts if service._core.protocol.flags is not None else Degraded(counts)


def call_with_dynamic_flags(env: Environment) -> Any:
    """Make a call of a new client, which also works without the dynamic flags."""
    with env.client(telemetry=False) as service:
        count = _model_count(service)
        return count if _has_dynamic_flags(service) else Degraded(count)


def negotiated(env: Environment) -> Environment:
    """Prepare a client that has negotiated; its tokens expire by the simulated clock."""
    _late_protocol_server(env).wall = env.time.clock.wall
    _model_count(env.service)
    return env


def call_until_refreshed(env: Environment) -> Any:
    """Make calls when dynamic flags are due, until the client has requested them twice."""
    # A server that stopped during the background request accepts connections for the call again.
    env.time.on_sleep = lambda _: env.server.listen()
    counts: list[int] = []

    def call_later() -> None:
        env.time.pass_by(DYNAMIC_FLAGS["refresh_interval_sec"])
        env.server.listen()
        counts[:] = [_model_count(env.service)]

    endpoint = "get_client_dynamic_config"
    before = env.request_count(endpoint)
    _wait_for(lambda: env.request_count(endpoint) >= before + 2, call_later)
    # Not deterministic: a call may have been in flight when the server stopped.
    env.time.slept.clear()
    refreshed = env.request_count(endpoint) >= before + 2
    return counts if refreshed and _has_dynamic_flags(env.service) else Degraded(counts)


def call_with_revoked_token(env: Environment) -> int:
    """Make a call while the client's token is no longer accepted."""
    _late_protocol_server(env).valid_tokens.clear()
    return _model_count(env.service)


def call_near_expiry(env: Environment) -> Any:
    """Make a call shortly before the token expires; it can still be used."""
    server = _late_protocol_server(env)
    tokens_before = set(server.valid_tokens)
    env.time.pass_by(TOKEN_LIFETIME - NEAR_EXPIRY)
    count = _model_count(env.service)
    token = server.calls("get_server_capabilities")[-1].headers["x-api-key"]
    return count if token not in tokens_before else Degraded(count)


@frozen
class OpenSession:
    """A sampling client with an open session."""

    env: Environment
    sampler: tinker.SamplingClient


def open_session(env: Environment) -> OpenSession:
    return OpenSession(env, env.service.create_sampling_client(base_model="fake/model"))


def sample(session: OpenSession) -> Any:
    """Sample; without batched completions the client polls for the result."""
    response = session.sampler.sample(PROMPT, 1, PARAMS).result()
    available = session.env.service._core.batch_pollers.available
    return response if available else Degraded(response)


def sample_in_copy(session: OpenSession) -> Any:
    """Sample with a copy of the client; it may use a random number range."""
    env = session.env
    # Like a client unpickled in another process, but on the core whose time is simulated.
    copy = SamplingClient(env.service._core, session.sampler.sampling_session_id, elsewhere=True)
    response = copy.sample(PROMPT, 1, PARAMS).result()
    client_index = env.server.calls("asample")[-1].body["seq_id"] // SEQ_IDS_PER_CLIENT
    joined = client_index <= env.request_count("join_sampling_session")
    return response if joined else Degraded(response)


def cancel_sample(env: Environment) -> Any:
    """Cancel one of two samples; the server may not be notified."""
    server = _late_protocol_server(env)
    with env.client(telemetry=False) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        polls = server.endless_polls
        endless = sampler.sample(ENDLESS, 1, PARAMS)
        response = sampler.sample(PROMPT, 1, PARAMS).result()
        _wait_for(lambda: server.endless_polls > polls)
        endless.cancel()
    env.time.slept.clear()  # Pauses between polls, which are not retries of the cancel request.
    return response if server.endless <= server.cancelled else Degraded(response)


def _late_protocol_server(env: Environment) -> LateProtocolServer:
    assert isinstance(env.server, LateProtocolServer)
    return env.server


def _model_count(service: tinker.ServiceClient) -> int:
    return len(service.get_server_capabilities().supported_models)


def _has_dynamic_flags(service: tinker.ServiceClient) -> bool:
    batch_size: int = DYNAMIC_FLAGS["sample_cancel_max_batch_size"]
    return service._core.protocol.dynamic.sample_cancel_max_batch_size == batch_size


def _wait_for(
    condition: Callable[[], bool], between_checks: Callable[[], object] = lambda: None
) -> None:
    started = time.monotonic()
    while not condition() and (elapsed := time.monotonic() - started) < TIMEOUT:
        between_checks()
        time.sleep(max(CHECK_INTERVAL, elapsed / 4))
