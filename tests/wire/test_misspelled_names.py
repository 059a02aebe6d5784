"""Misspelled losses, parameters and keys: suggestions, without rejecting names of other servers."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import tinker_ext as tinker
from tests.builders import DATUM, datum
from tinker_ext.testing import FakeServer, Reply, make_client


def failure(loss: str, config: dict[str, Any] | None = None, reply: Reply | None = None) -> str:
    """The message of the error of a server that rejects a batch."""
    server = FakeServer()
    server.respond_always("forward_backward", reply or Reply(400, {"detail": "unknown"}))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.TinkerError) as caught:
            training.forward_backward([DATUM], loss, config).result(30)
    assert server.calls("forward_backward"), "the name is sent, because the server may know it"
    return str(caught.value)


def test_rejected_loss_suggests_similar_name() -> None:
    assert "Did you mean 'cross_entropy' instead of 'crossentropy'?" in failure("crossentropy")
    assert "Did you mean 'gspo' instead of 'gpso'?" in failure("gpso")


def test_failed_loss_suggests_similar_name() -> None:
    failed = {"error": "unknown loss", "category": "user"}
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", Reply(200, failed))
        future = training.forward([DATUM], "importance_sampling_")
        with pytest.raises(tinker.RequestFailedError, match="Did you mean 'importance_sampling'"):
            future.result(30)


def test_rejected_parameter_suggests_similar_name() -> None:
    message = failure("ppo", {"clip_low_treshold": 0.9})
    assert "Did you mean 'clip_low_threshold' instead of 'clip_low_treshold'?" in message


@pytest.mark.parametrize(("loss", "config"), [("ppo", {"beta": 1.0}), ("dpo_variant", None)])
def test_rejected_request_without_typo_has_no_suggestion(
    loss: str, config: dict[str, Any] | None
) -> None:
    assert "Did you mean" not in failure(loss, config)


def test_misspelled_key_warns_at_the_callers_line() -> None:
    wrong = datum(2, target_tokens=[1, 2], weight=[0.0, 1.0])
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.warns(UserWarning, match="Did you mean 'weights' instead") as caught:
            training.forward_backward([wrong], "cross_entropy").result(30)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("key", ["reference_logprobs_", "mask", "rewards"])
def test_other_keys_do_not_warn(key: str) -> None:
    ones = [1.0, 1.0]
    extended = datum(2, target_tokens=[1, 2], weights=ones, logprobs=ones, **{key: ones})
    with make_client(FakeServer()) as service, warnings.catch_warnings():
        warnings.simplefilter("error")
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([extended], "cross_entropy").result(30)


def test_missing_key_error_lists_the_keys() -> None:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.InvalidInputError, match="got 'target_token', 'weights'"):
            training.forward([datum(2, target_token=[1], weights=[1.0])], "cross_entropy")
