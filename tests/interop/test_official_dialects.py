"""The official SDKs of four releases train and sample on the embedded backend, as they are.

Each runs the same whole loop twice: before a server that speaks its release and nothing else, and
before one that speaks all of them. What is said and answered is held to the specification of the
release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from interop.contract import contract
from interop.recorder import Forwarder, recording
from interop.session import KEY, drive

from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from interop.recorder import Exchange
    from interop.session import Run

# The first run makes the environments as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

# Seconds that a token lives where the server demands one.
JWT_LIFE = 600.0
# What the hosted service may ask of samplers; as long as it does not, clients do without.
BATCHED = {
    "sample_use_retrieve_futures": True,
    "sample_join_sampling_session": True,
    "sample_cancel_enabled": True,
}
# Release of the SDK, what the server is told to speak, whether it demands tokens, its flags.
PAIRS: list[tuple[str, str, float | None, dict[str, bool]]] = [
    (release, dialect, None, {})
    for release, own in (
        ("0.4.1", "0.4.1"),
        ("0.24.1", "0.24"),
        ("0.25.0", "0.25"),
        ("0.38.0", "0.38"),
    )
    for dialect in (own, "any")
]
PAIRS.append(("0.38.0", "0.38", JWT_LIFE, {}))
PAIRS.append(("0.38.0", "0.38", None, BATCHED))


def _name(pair: tuple[str, str, float | None, dict[str, bool]]) -> str:
    release, dialect, life, flags = pair
    tokens, batched = "-with-tokens" if life is not None else "", "-batched" if flags else ""
    return f"{release}-on-{dialect}{tokens}{batched}"


@pytest.fixture(scope="module", params=PAIRS, ids=_name)
def loop(request: pytest.FixtureRequest) -> Run:
    release, dialect, life, flags = request.param
    with start_embedded(dialect=dialect, jwt_life=life, flags=flags) as server:
        with recording(Forwarder(server.url)) as record:
            run = drive(release, "training_loop", record.url)
            exchanges = list(record.exchanges)
        log = server.log_path.read_text()
    assert "Traceback" not in log, log
    specified = contract(release)
    check_tokens(exchanges, demanded=life is not None)
    problems = {one for exchange in exchanges for one in specified.verdict(exchange).problems}
    assert not problems, "said or answered otherwise than specified"
    together = [one for one in exchanges if one.asked.path.endswith("/retrieve_futures")]
    assert bool(together) is bool(flags), "many samples are asked for at once where it says so"
    assert value(run, "open_service") == release
    return run


def check_tokens(exchanges: list[Exchange], *, demanded: bool) -> None:
    """A token is asked for with the key, and all else with the token; or nothing of it."""
    asked = [(one.asked.path.rpartition("/api/v1/")[2], one.asked) for one in exchanges]
    tokenless = [path for path, one in asked if one.message.headers["x-api-key"] == KEY]
    if demanded:
        assert set(tokenless) == {"client/config", "auth/token"}
        assert 401 not in {one.answered.status for one in exchanges}
    else:
        assert len(tokenless) == len(asked)


def value(run: Run, step: str) -> Any:
    """What a step of the driver found."""
    return run.steps[step].value


def test_every_step_succeeds(loop: Run) -> None:
    assert loop.failures == {}
    assert list(loop.steps)[-1] == "finish"
    assert value(loop, "capabilities") == ["embedded/tiny"]


def test_the_loss_falls(loop: Run) -> None:
    losses = value(loop, "train")
    assert losses[0] == pytest.approx(value(loop, "forward"), rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_of_several_requests_comes_back_whole(loop: Run) -> None:
    assert value(loop, "train_in_chunks") == 1100
    assert "clipped:sum" in value(loop, "reinforce")


def test_loading_gives_back_what_was_saved(loop: Run) -> None:
    loaded = value(loop, "save_and_load")
    assert loaded["spoiled"] != pytest.approx(loaded["before"], rel=0.05)
    assert loaded["after"] == pytest.approx(loaded["before"], rel=1e-6)
    assert value(loop, "create_from_state") == pytest.approx(loaded["before"], rel=1e-6)
    with_optimizer = value(loop, "create_from_state_with_optimizer")
    assert with_optimizer in ("absent", pytest.approx(loaded["before"], rel=1e-6))


def test_the_same_weights_and_seed_give_the_same_sample(loop: Run) -> None:
    samples = value(loop, "sample")
    assert samples == value(loop, "sample_ephemeral")
    assert samples != value(loop, "sample_base")
    for one in samples:
        assert one["stop_reason"] in {"length", "stop"}
        assert len(one["logprobs"]) == len(one["tokens"]) <= 8


def test_prompts_are_scored(loop: Run) -> None:
    scored = value(loop, "score")
    assert scored["prompt_logprobs"][0] is None
    assert len(scored["prompt_logprobs"]) == len(scored["topk"]) == scored["prompt"]
    assert set(scored["topk"][1:]) == {3}
    assert scored["prompt_logprobs"] == scored["compute_logprobs"]


def test_what_was_made_is_listed_and_deleted(loop: Run) -> None:
    listed = value(loop, "list_all")
    assert listed["of_run"] == ["sampler_weights/interop", "weights/interop"]
    assert listed["base_model"] == "embedded/tiny"
    looked_up = value(loop, "look_up")
    assert looked_up == "absent" or looked_up["ending"] == ["weights/interop"]
    assert value(loop, "delete") == 0


def test_a_mistake_is_an_error_and_no_more(loop: Run) -> None:
    assert value(loop, "refused") == "RequestFailedError"
