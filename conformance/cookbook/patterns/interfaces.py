"""Patterns of programs and their tests that use the types: fakes, copies, adapters, pickles."""

import base64
import copy
import dataclasses
import importlib
import inspect
import pickle
import sys
import types as python_types
from datetime import UTC, datetime
from unittest import mock

import numpy as np
import tinker
from common import BASE_MODEL, encode, new_trainer, next_token_datum, prompt_of, service
from tinker import types


def resolve_only_real_futures():
    """A helper that calls `result` on futures and returns other values unchanged."""

    def resolved(value):
        return value.result() if isinstance(value, tinker.APIFuture) else value

    trainer = new_trainer()
    output = resolved(trainer.forward([next_token_datum("abc")], "cross_entropy"))
    assert isinstance(output, tinker.ForwardBackwardOutput)
    fake = mock.MagicMock()
    assert resolved(fake) is fake


def clients_told_apart_by_class():
    """One function for several providers, which looks at the class of the client."""
    sampler = service().create_sampling_client(base_model=BASE_MODEL)
    assert isinstance(sampler, tinker.SamplingClient)
    assert isinstance(new_trainer(), tinker.TrainingClient)


def responses_made_by_hand():
    """Results that a test of a program returns in place of the server's."""
    response = types.SampleResponse(
        sequences=[
            types.SampledSequence(tokens=[1, 2], logprobs=[-0.5, -0.25], stop_reason="stop"),
            types.SampledSequence(stop_reason="length", tokens=[3], logprobs=None),
        ]
    )
    assert [list(sequence.tokens) for sequence in response.sequences] == [[1, 2], [3]]
    output = types.ForwardBackwardOutput(
        loss_fn_output_type="TensorData",
        loss_fn_outputs=[
            {"logprobs": types.TensorData(data=[-0.5], dtype="float32", shape=[1])},
        ],
        metrics={"loss:sum": 0.5},
    )
    assert output.loss_fn_outputs[0]["logprobs"].tolist() == [-0.5]
    checkpoint = types.Checkpoint(
        checkpoint_id="weights/000010",
        checkpoint_type="training",
        time=datetime.now(UTC),
        tinker_path="tinker://run-1/weights/000010",
    )
    assert checkpoint.tinker_path.endswith("000010")


async def clients_replaced_by_mocks():
    """`spec` and `patch`, with which most tests of programs work."""
    trainer = mock.MagicMock(spec=tinker.TrainingClient)
    trainer.save_state.return_value.result.return_value.path = "tinker://run/weights/1"
    assert trainer.save_state("1").result().path == "tinker://run/weights/1"
    assert isinstance(trainer, tinker.TrainingClient)
    sampler = mock.create_autospec(tinker.SamplingClient, instance=True)
    sampler.sample_async = mock.AsyncMock(return_value="sampled")
    assert await sampler.sample_async(prompt=None) == "sampled"
    with mock.patch("tinker.ServiceClient") as created:
        created.return_value.get_server_capabilities.return_value.supported_models = []
        assert tinker.ServiceClient().get_server_capabilities().supported_models == []
    assert inspect.isclass(tinker.ServiceClient)


def module_replaced_and_restored():
    """A test puts another module into `sys.modules`; afterwards the classes are the same ones."""
    before = tinker.Datum
    fake = python_types.SimpleNamespace(ServiceClient=object)
    with mock.patch.dict(sys.modules, {"tinker": fake}):
        assert importlib.import_module("tinker").ServiceClient is object
    assert importlib.import_module("tinker").Datum is before
    assert importlib.reload(sys.modules["tinker"]).Datum is before


def signatures_checked_before_a_run():
    """A contract test of a program: its calls must fit the signatures of the SDK."""
    for method, arguments in {
        "forward_backward": {"data": [], "loss_fn": "ppo", "loss_fn_config": {}},
        "optim_step": {"adam_params": None},
        "save_state": {"name": "a", "ttl_seconds": None},
        "load_state_with_optimizer": {"path": "tinker://a"},
    }.items():
        inspect.signature(getattr(tinker.TrainingClient, method)).bind(None, **arguments)
    inspect.signature(tinker.APIFuture.result_async).bind(None)
    settings = {"learning_rate", "beta1", "beta2", "eps", "weight_decay", "grad_clip_norm"}
    assert settings <= set(tinker.AdamParams.model_fields)
    assert {"model_input", "loss_fn_inputs"} <= {f.name for f in dataclasses.fields(tinker.Datum)}
    for error in (tinker.BadRequestError, tinker.UnprocessableEntityError, tinker.RateLimitError):
        assert issubclass(error, tinker.APIStatusError)


def rollouts_pickled_to_disk():
    """Data of one step, stored and loaded by another process."""
    datum = next_token_datum("pickle")
    sequence = types.SampledSequence(tokens=[1, 2], logprobs=[-0.5, -0.25], stop_reason="stop")
    stored = pickle.dumps({"data": [datum], "sequences": [sequence], "prompt": prompt_of("abc")})
    loaded = pickle.loads(stored)
    assert loaded["data"][0].loss_fn_inputs["target_tokens"].tolist() == encode("pickle")[1:]
    assert list(loaded["sequences"][0].tokens) == [1, 2]
    assert loaded["prompt"].to_ints() == encode("abc")
    assert type(loaded["data"][0]) is types.Datum
    assert copy.deepcopy(datum).model_input.to_ints() == datum.model_input.to_ints()


def parameters_as_json():
    """Settings for a log, and read back from it."""
    params = tinker.SamplingParams(max_tokens=64, temperature=0.7, stop=["\n"])
    logged = params.model_dump(exclude_none=True)
    assert logged["max_tokens"] == 64
    assert types.SamplingParams.model_validate(logged).temperature == 0.7
    changed = types.AdamParams(learning_rate=1e-4).model_copy(update={"learning_rate": 2e-4})
    assert changed.learning_rate == 2e-4
    assert types.LoraConfig(rank=8).model_dump()["rank"] == 8


def changed_copy_of_a_datum():
    """A new datum with other advantages, by `dataclasses.replace`."""
    datum = next_token_datum("abc")
    inputs = {**datum.loss_fn_inputs, "weights": types.TensorData.from_numpy(np.zeros(2, "f4"))}
    changed = dataclasses.replace(datum, loss_fn_inputs=inputs)
    assert changed.loss_fn_inputs["weights"].tolist() == [0.0, 0.0]
    assert datum.loss_fn_inputs["weights"].tolist() == [1.0, 1.0]


def adapter_that_extends_a_client():
    """A subclass that counts tokens and otherwise behaves as the client it wraps."""

    class Counting(tinker.SamplingClient):
        def __init__(self, inner):
            self.inner, self.tokens = inner, 0

        def sample(self, *args, **kwargs):
            future = self.inner.sample(*args, **kwargs)
            self.tokens += sum(len(item.tokens) for item in future.result().sequences)
            return future

    client = Counting(service().create_sampling_client(base_model=BASE_MODEL))
    params = types.SamplingParams(max_tokens=3)
    client.sample(prompt=prompt_of("a"), num_samples=2, sampling_params=params).result()
    assert isinstance(client, tinker.SamplingClient)
    assert 0 < client.tokens <= 6


def image_as_text():
    """An image for a log of prompts."""
    chunk = types.ImageChunk(data=b"\xff\xd8\xff", format="jpeg", expected_tokens=4)
    assert base64.b64decode(base64.b64encode(chunk.data)) == b"\xff\xd8\xff"
    assert chunk.length == 4
    assert chunk.type == "image"


def imports_of_inner_modules():
    """Deep imports that programs and servers use."""
    from tinker._exceptions import APIStatusError, TinkerError
    from tinker.lib.public_interfaces.api_future import APIFuture, AwaitableConcurrentFuture
    from tinker.lib.public_interfaces.rest_client import RestClient
    from tinker.lib.public_interfaces.sampling_client import SamplingClient
    from tinker.lib.public_interfaces.service_client import RetryConfig, ServiceClient
    from tinker.lib.public_interfaces.training_client import TrainingClient
    from tinker.types.model_input import ModelInput
    from tinker.types.sample_response import SampleResponse

    assert issubclass(tinker.RateLimitError, APIStatusError)
    assert issubclass(APIStatusError, TinkerError)
    assert APIFuture is tinker.APIFuture
    assert issubclass(AwaitableConcurrentFuture, APIFuture)
    assert RestClient is tinker.RestClient
    assert (SamplingClient, ServiceClient) == (tinker.SamplingClient, tinker.ServiceClient)
    assert TrainingClient is tinker.TrainingClient
    assert ModelInput is tinker.ModelInput
    assert SampleResponse is tinker.SampleResponse
    assert RetryConfig(enable_retry_logic=False, progress_timeout=45).progress_timeout == 45


def messages_of_the_wire_format():
    """A server or proxy that reads the requests of the SDK."""
    from tinker.proto import tinker_public_pb2

    request = tinker_public_pb2.ForwardBackwardRequest(model_id="m", seq_id=1)
    request.loss_fn = "cross_entropy"
    parsed = tinker_public_pb2.ForwardBackwardRequest.FromString(request.SerializeToString())
    assert parsed.loss_fn == "cross_entropy"


def requests_built_by_hand():
    """Request types for the SDK's own HTTP client. No method of tinker_ext accepts them."""
    from tinker.types.unload_model_request import UnloadModelRequest

    assert UnloadModelRequest(model_id="m").model_id == "m"
