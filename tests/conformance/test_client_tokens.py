"""The client trains for longer than a token lives, before a server that wants one each time."""

from __future__ import annotations

import time

import pytest

from tests.conformance.test_client_dialects import WAIT, datum, loss_of
from tinker_ext import ServiceClient, types
from tinker_ext.embedded.launch import start_embedded

#: Seconds; the server lets a token live one more at most.
LIFE = 2.0


@pytest.mark.timeout(120)
def test_it_trains_through_several_tokens() -> None:
    with (
        start_embedded(dialect="0.38", jwt_life=LIFE) as server,
        ServiceClient(base_url=server.url, api_key="tml-x") as service,
    ):
        training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
        losses, until = [], time.monotonic() + 3 * LIFE
        while time.monotonic() < until:
            done = training.forward_backward([datum()] * 2, "cross_entropy")
            training.optim_step(types.AdamParams(learning_rate=0.01)).result(WAIT)
            losses.append(loss_of(done.result(WAIT)))
            time.sleep(0.1)
        assert losses[-1] < 0.7 * losses[0]
        keys = service._core.connection.keys
        # The key and several tokens: as many as are remembered, of those that there were.
        assert len(keys.secrets()) >= 3
        sampler = training.save_weights_and_get_sampling_client()
        prompt = types.ModelInput.from_ints([1, 2, 3])
        assert sampler.sample(prompt, 1, types.SamplingParams(max_tokens=4)).result(WAIT).sequences
