"""The official SDKs of four releases, unmodified, train and sample on the embedded backend.

Each runs the program `releases` on a server of its own release, and on a server that accepts the
requests of all releases. The traffic is validated against the specification of the release.
"""

from __future__ import annotations

from typing import Any

import pytest

from conformance.interop.contract import load_contract
from conformance.interop.recorder import Exchange, Forwarder, recording
from conformance.interop.session import KEY, Run, run_program
from tinker_ext.embedded.launch import start_embedded

# The first run also creates the environments.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

# Lifetime of a token in seconds, on a server that requires tokens.
JWT_LIFETIME = 600.0
# Flags of the hosted service for samplers; they are off by default.
BATCHED = {
    "sample_use_retrieve_futures": True,
    "sample_join_sampling_session": True,
    "sample_cancel_enabled": True,
}
# Release of the SDK, protocol of the server, lifetime of its tokens if it requires any, its flags.
PAIRS: list[tuple[str, str, float | None, dict[str, bool]]] = [
    (release, protocol, None, {})
    for release, own in (
        ("0.4.1", "0.4.1"),
        ("0.24.1", "0.24"),
        ("0.25.0", "0.25"),
        ("0.38.0", "0.38"),
    )
    for protocol in (own, "any")
]
PAIRS.append(("0.38.0", "0.38", JWT_LIFETIME, {}))
PAIRS.append(("0.38.0", "0.38", None, BATCHED))


def _name(pair: tuple[str, str, float | None, dict[str, bool]]) -> str:
    release, protocol, jwt_lifetime, flags = pair
    tokens, batched = (
        "-with-tokens" if jwt_lifetime is not None else "",
        "-batched" if flags else "",
    )
    return f"{release}-on-{protocol}{tokens}{batched}"


@pytest.fixture(scope="module", params=PAIRS, ids=_name)
def loop(request: pytest.FixtureRequest) -> Run:
    release, protocol, jwt_lifetime, flags = request.param
    with start_embedded(protocol=protocol, jwt_lifetime=jwt_lifetime, flags=flags) as server:
        with recording(Forwarder(server.url)) as record:
            run = run_program(release, "releases", record.url)
            exchanges = list(record.exchanges)
        log = server.log_path.read_text()
    assert "Traceback" not in log, log
    contract = load_contract(release)
    check_tokens(exchanges, required=jwt_lifetime is not None)
    problems = {item for exchange in exchanges for item in contract.verdict(exchange).problems}
    assert not problems
    batched = [item for item in exchanges if item.request.path.endswith("/retrieve_futures")]
    assert bool(batched) is bool(flags), "samples are polled in batches if the flags say so"
    assert value(run, "open_service") == release
    return run


def check_tokens(exchanges: list[Exchange], *, required: bool) -> None:
    """The key is sent only to obtain a token, or with all requests if no token is required."""
    requests = [exchange.request for exchange in exchanges]
    with_key = [
        request.path.rpartition("/api/v1/")[2]
        for request in requests
        if request.message.headers["x-api-key"] == KEY
    ]
    if required:
        assert set(with_key) == {"client/config", "auth/token"}
        assert 401 not in {exchange.response.status for exchange in exchanges}
    else:
        assert len(with_key) == len(requests)


def value(run: Run, step: str) -> Any:
    """The value of a step of the program."""
    return run.steps[step].value


def test_every_step_succeeds(loop: Run) -> None:
    assert loop.failures == {}
    assert list(loop.steps)[-1] == "close"
    assert value(loop, "capabilities") == ["embedded/tiny"]


def test_the_loss_falls(loop: Run) -> None:
    losses = value(loop, "train")
    assert losses[0] == pytest.approx(value(loop, "forward"), rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]


def test_chunked_batch_returns_every_output(loop: Run) -> None:
    assert value(loop, "train_in_chunks") == 1100
    assert "clipped:sum" in value(loop, "reinforce_with_config")


def test_load_state_restores_saved_weights(loop: Run) -> None:
    loaded = value(loop, "load_state_after_damage")
    assert loaded["damaged"] != pytest.approx(loaded["before"], rel=0.05)
    assert loaded["after"] == pytest.approx(loaded["before"], rel=1e-6)
    assert value(loop, "second_model_loss") == pytest.approx(loaded["before"], rel=1e-6)
    with_optimizer = value(loop, "create_from_state_with_optimizer")
    assert with_optimizer in ("absent", pytest.approx(loaded["before"], rel=1e-6))


def test_same_weights_and_seed_give_same_sample(loop: Run) -> None:
    samples = value(loop, "sample")
    assert samples == value(loop, "save_weights_and_get_sampling_client")
    assert samples != value(loop, "sample_the_base_model")
    for sequence in samples:
        assert sequence["stop_reason"] in {"length", "stop"}
        assert len(sequence["logprobs"]) == len(sequence["tokens"]) <= 8


def test_prompt_logprobs_are_returned(loop: Run) -> None:
    scored = value(loop, "sample_with_prompt_logprobs")
    assert scored["prompt_logprobs"][0] is None
    assert len(scored["prompt_logprobs"]) == len(scored["topk"]) == scored["prompt"]
    assert set(scored["topk"][1:]) == {3}
    assert scored["prompt_logprobs"] == value(loop, "compute_logprobs")


def test_checkpoints_are_listed_and_deleted(loop: Run) -> None:
    assert value(loop, "list_checkpoints") == ["sampler_weights/interop", "weights/interop"]
    assert value(loop, "get_training_run") == "embedded/tiny"
    looked_up = value(loop, "look_up")
    assert looked_up == "absent" or looked_up["expiring"] == ["weights/interop"]
    assert value(loop, "delete") == 0


def test_invalid_datum_raises_request_failed_error(loop: Run) -> None:
    assert value(loop, "invalid_datum") == "RequestFailedError"
