"""Optional fields of training data: loss settings and provenance spans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from attrs import evolve
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tests.builders import datum
from tinker_ext import types
from tinker_ext.transport.protobuf import encode_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import FakeServer


def test_loss_fn_config_may_contain_strings(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training = service.create_lora_training_client("fake/model")
    config: dict[str, Any] = {"level": "sequence", "clip": np.float32(0.5)}
    training.forward_backward([datum()], "gspo", config).result(10)
    [sent] = server.calls("forward_backward")
    config = sent.body["forward_backward_input"]["loss_fn_config"]
    assert config == {"level": "sequence", "clip": 0.5}


@pytest.mark.parametrize("value", [math.nan, True, None, [1]])
def test_invalid_loss_setting_raises_and_sends_nothing(
    server: FakeServer, service: tinker.ServiceClient, value: Any
) -> None:
    training = service.create_lora_training_client("fake/model")
    with pytest.raises(tinker.InvalidInputError, match=r"loss_fn_config\['clip'\]"):
        training.forward([datum()], "ppo", {"clip": value})
    assert not server.calls("forward")


def test_provenance_spans_are_sent() -> None:
    known = datum().with_provenance(
        model_input=[tinker.PromptProvenanceSpan(sequence_id="s:0", length=2)],
        loss_fn_inputs=[
            tinker.PromptProvenanceSpan(sequence_id="s:0", offset=1, length=1),
            tinker.SampledProvenanceSpan(sequence_id="s:0", length=1),
        ],
    )
    config: types.LossFnConfig = {"level": "token", "clip": 0.5}
    encoding = encode_data([known, datum()], "stable_reinforce", config)
    message = pb.ForwardBackwardRequest.FromString(encoding.to_bytes())
    first, second = message.data
    [span] = first.model_input_spans
    assert (span.prompt_tokens.sequence_id, span.prompt_tokens.length) == ("s:0", 2)
    prompt, sampled = first.loss_fn_input_spans
    assert (prompt.prompt_tokens.offset, prompt.prompt_tokens.length) == (1, 1)
    assert sampled.WhichOneof("span") == "sampled_tokens"
    assert not second.model_input_spans
    assert message.loss_fn_config_v2["level"].text == "token"
    assert message.loss_fn_config_v2["clip"].number == 0.5
    assert dict(message.loss_fn_config) == {"clip": 0.5}


NO_SPANS: Any = ["s:0"]
SPAN = tinker.SampledProvenanceSpan(sequence_id="s:0", length=2)


@pytest.mark.parametrize(
    ("where", "make"),
    [
        ("model_input", lambda: datum().with_provenance([SPAN, SPAN], [SPAN])),
        ("loss_fn_inputs", lambda: datum().with_provenance([SPAN], [])),
        ("model_input_spans", lambda: evolve(datum(), model_input_spans=[SPAN])),
        ("loss_fn_input_spans", lambda: evolve(datum(), loss_fn_input_spans=NO_SPANS)),
        ("sequence_id", lambda: tinker.SampledProvenanceSpan(sequence_id="", length=1)),
        ("length", lambda: tinker.PromptProvenanceSpan(sequence_id="s", length=-1)),
        ("offset", lambda: tinker.PromptProvenanceSpan(sequence_id="s", offset=-1, length=1)),
    ],
)
def test_mismatched_spans_raise(where: str, make: Callable[[], object]) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        make()
    assert caught.value.where == where
