"""Trains a model for a few steps and samples from it, with the generated bindings."""

import os

import numpy as np
from tinker_api import AuthenticatedClient
from tinker_api import models as api
from tinker_api.api.models import create_model
from tinker_api.api.sampling import asample, create_sampling_session
from tinker_api.api.sessions import create_session
from tinker_api.api.training import forward_backward, optim_step
from tinker_api.api.weights import save_weights_for_sampler

from tinker_ext.low_level import encode_json, tensor, wait_for

url, key = os.environ["TINKER_BASE_URL"], os.environ["TINKER_API_KEY"]
with AuthenticatedClient(url, token=key, encode_json=encode_json) as client:
    opening = api.CreateSessionRequest(
        tags=[], user_metadata=api.UserMetadata(), sdk_version="0.4.1"
    )
    session = create_session.sync(client=client, body=opening).session_id
    lora = api.LoraConfig(rank=8, seed=1)
    request = create_model.sync(
        client=client,
        body=api.CreateModelRequest(session, 0, base_model="embedded/tiny", lora_config=lora),
    )
    model = wait_for(client, request.request_id, api.CreateModelResponse).model_id

    text = list(b"The quick brown fox jumps over the lazy dog.")
    inputs = api.LossFnInputs()
    inputs["target_tokens"] = tensor(np.array(text[1:]))
    inputs["weights"] = tensor(np.ones(len(text) - 1))
    prompt = api.ModelInput([api.EncodedTextChunk(text[:-1])])
    datum = api.Datum(model_input=prompt, loss_fn_inputs=inputs)
    batch = api.ForwardBackwardInput([datum], loss_fn="cross_entropy")
    for step in range(8):
        gradients = forward_backward.sync(
            client=client,
            body=api.ForwardBackwardRequest(batch, model_id=model, seq_id=2 * step + 1),
        )
        update = optim_step.sync(
            client=client,
            body=api.OptimStepRequest(
                model, seq_id=2 * step + 2, adam_params=api.AdamParams(learning_rate=0.02)
            ),
        )
        output = wait_for(client, gradients.request_id, api.ForwardBackwardOutput)
        wait_for(client, update.request_id, api.OptimStepResponse)
        print(step, output.metrics)

    request = save_weights_for_sampler.sync(
        client=client, body=api.SaveWeightsForSamplerRequest(model, path="trained", seq_id=17)
    )
    weights = wait_for(client, request.request_id, api.SaveWeightsForSamplerResponse).path
    sampler = create_sampling_session.sync(
        client=client, body=api.CreateSamplingSessionRequest(session, 0, model_path=weights)
    )
    request = asample.sync(
        client=client,
        body=api.SampleRequest(
            prompt=api.ModelInput([api.EncodedTextChunk(text[:20])]),
            sampling_params=api.SamplingParams(max_tokens=8, temperature=0.0),
            sampling_session_id=sampler.sampling_session_id,
            seq_id=0,
        ),
    )
    sample = wait_for(client, request.request_id, api.SampleResponse)
    for sequence in sample.sequences or []:
        print(bytes(sequence.tokens or []))
