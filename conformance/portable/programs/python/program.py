"""Trains one step, samples, and decodes the recorded responses, with openapi-generator's client."""

import json
import os
from typing import Any

import tinker_portable as tinker

TEXT = [84, 104, 101, 32, 113]


def connect(url: str) -> tinker.ApiClient:
    return tinker.ApiClient(tinker.Configuration(host=url, api_key={"ApiKey": "tml-any"}))


def retrieve(client: tinker.ApiClient, request_id: str) -> Any:
    body = tinker.FutureRetrieveRequest(request_id=request_id)
    return tinker.FuturesApi(client).retrieve_future(body)


def wait_for(client: tinker.ApiClient, request_id: str) -> Any:
    while True:
        value = retrieve(client, request_id)
        if value.get("type") == "try_again":
            continue
        if value.get("error") is not None:
            raise RuntimeError(value["error"])
        return value


def main() -> None:
    client = connect(os.environ["TINKER_BASE_URL"])
    opening = tinker.CreateSessionRequest(tags=[], user_metadata={}, sdk_version="0.4.1")
    session = tinker.SessionsApi(client).create_session(opening).session_id
    creating = tinker.CreateModelRequest(
        session_id=session,
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config=tinker.LoraConfig(rank=4),
    )
    request = tinker.ModelsApi(client).create_model(creating).request_id
    result = wait_for(client, request)
    model = tinker.CreateModelResponse.from_dict(result).model_id

    chunk = tinker.ModelInputChunk(tinker.EncodedTextChunk(tokens=TEXT, type="encoded_text"))
    prompt = tinker.ModelInput(chunks=[chunk])
    inputs = {
        "target_tokens": tinker.TensorData(data=TEXT, dtype="int64", shape=[5]),
        "weights": tinker.TensorData(data=[1.0, 1.0, 1.0, 1.0, 0.5], dtype="float32"),
    }
    datum = tinker.Datum(model_input=prompt, loss_fn_inputs=inputs)
    batch = tinker.ForwardBackwardInput(data=[datum], loss_fn="cross_entropy")
    training = tinker.ForwardBackwardRequest(forward_backward_input=batch, model_id=model, seq_id=1)
    request = tinker.TrainingApi(client).forward_backward(training).request_id
    output = tinker.ForwardBackwardOutput.from_dict(wait_for(client, request))

    sampling = tinker.CreateSamplingSessionRequest(
        session_id=session, sampling_session_seq_id=0, base_model="embedded/tiny"
    )
    api = tinker.SamplingApi(client)
    sampler = api.create_sampling_session(sampling).sampling_session_id
    sample = tinker.SampleRequest(
        prompt=prompt,
        sampling_params=tinker.SamplingParams(max_tokens=3, temperature=0.0),
        sampling_session_id=sampler,
        seq_id=0,
    )
    request = api.asample(sample).request_id
    sampled = tinker.SampleResponse.from_dict(wait_for(client, request))
    print(json.dumps({"loss": output.metrics["loss:sum"], "tokens": sampled.sequences[0].tokens}))

    recorded = connect(os.environ["CASES_URL"])
    for case in json.loads(os.environ["CASES"]):
        model_class = getattr(tinker, case["model"])
        value = model_class.from_dict(retrieve(recorded, case["name"])).to_dict()
        print(json.dumps({"case": case["name"], "value": value}))


main()
