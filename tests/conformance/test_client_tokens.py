"""The client trains longer than the lifetime of a token, with a server that requires tokens."""

from __future__ import annotations

import time

import pytest

from tests.conformance.test_client_protocols import WAIT, datum, loss_of
from tinker_ext import ServiceClient, types
from tinker_ext.embedded.launch import start_embedded

#: Seconds; the server rounds the lifetime up, by at most one second.
LIFETIME = 2.0


@pytest.mark.timeout(120)
def test_training_continues_across_token_expiry() -> None:
    with (
        start_embedded(protocol="0.38", jwt_lifetime=LIFETIME) as server,
        ServiceClient(base_url=server.url, api_key="tml-x") as service,
    ):
        training = service.create_lora_training_client(base_model="embedded/tiny", rank=4, seed=1)
        losses, until = [], time.monotonic() + 3 * LIFETIME
        while time.monotonic() < until:
            future = training.forward_backward([datum()] * 2, "cross_entropy")
            training.optim_step(types.AdamParams(learning_rate=0.01)).result(WAIT)
            losses.append(loss_of(future.result(WAIT)))
            time.sleep(0.1)
        assert losses[-1] < 0.7 * losses[0]
        keys = service._core.connection.keys
        # The key and the tokens that the client remembers.
        assert len(keys.secrets()) >= 3
        sampler = training.save_weights_and_get_sampling_client()
        prompt = types.ModelInput.from_ints([1, 2, 3])
        assert sampler.sample(prompt, 1, types.SamplingParams(max_tokens=4)).result(WAIT).sequences
