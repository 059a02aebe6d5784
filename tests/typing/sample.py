"""User code for the type checker; never executed (`make check`).

A line marked as an error must be one: an unneeded ignore fails the check.
"""

from __future__ import annotations

from typing import Any, Protocol, assert_type

import numpy as np
import numpy.typing as npt

import tinker_ext as tinker
from tinker_ext import types


def build(tokens: list[int], weights: npt.NDArray[np.float32]) -> types.Datum:
    """Lists, arrays and tensors may be mixed in one dict."""
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens),
        loss_fn_inputs={
            "target_tokens": tokens,
            "weights": weights,
            "table": [[1.0, 2.0], [3.0, 4.0]],
            "logprobs": types.TensorData.from_numpy(weights),
        },
    )


def inspect(datum: types.Datum) -> None:
    """The fields of a datum."""
    tensor = datum.loss_fn_inputs["weights"]
    assert_type(tensor, types.TensorData)
    assert_type(tensor.data, list[int] | list[float])
    assert_type(tensor.shape, list[int] | None)
    assert_type(tensor.to_numpy(), npt.NDArray[Any])
    assert_type(datum.model_input.to_ints(), list[int])
    assert_type(datum.model_input.length, int)
    for chunk in datum.model_input.chunks:
        match chunk:
            case types.EncodedTextChunk():
                assert_type(chunk.tokens, list[int])
            case types.ImageChunk():
                assert_type(chunk.data, bytes)
            case types.ImageAssetPointerChunk():
                assert_type(chunk.location, str)


def read(output: types.ForwardBackwardOutput, response: types.SampleResponse) -> None:
    """The fields of responses."""
    assert_type(output.metrics, dict[str, float])
    assert_type(output.loss_fn_outputs, list[dict[str, types.TensorData]])
    for sequence in response.sequences:
        assert_type(sequence.tokens, list[int])
        assert_type(sequence.logprobs, list[float] | None)
        assert_type(sequence.sequence_id, str | None)
        assert_type(sequence.topk_logprobs, list[list[tuple[int, float]] | None] | None)
        assert_type(sequence.tokens_np, npt.NDArray[Any])
        if sequence.stop_reason == "length":
            print("truncated")
    assert_type(response.prompt_logprobs, list[float | None] | None)
    assert_type(response.topk_prompt_logprobs, list[list[tuple[int, float]] | None] | None)
    assert_type(response.target_prompt_logprobs, types.TensorData | None)
    if response.prompt_alt_tokens is not None:
        assert_type(response.prompt_alt_tokens.tokens, types.TensorData)
    if response.topk_prompt_logprobs_np is not None:
        assert_type(response.topk_prompt_logprobs_np.token_ids, npt.NDArray[Any])


def choose() -> None:
    """Parameters are typed by name."""
    types.AdamParams(learning_rate=1e-3, weight_decay=0.1, grad_clip_norm=1)
    types.DimuonParams(1e-3)
    types.DimuonParams()  # type: ignore[call-arg]  # must be an error
    types.SamplingParams(max_tokens=5, stop=["a"], temperature=0)
    types.SamplingParams(stop=[1, 2])
    types.SamplingParams(max_tokens="5")  # type: ignore[arg-type]  # must be an error
    types.SamplingParams(temprature=0)  # type: ignore[call-arg]  # must be an error
    types.AdamParams(learning_rate=None)  # type: ignore[arg-type]  # must be an error
    types.LoraConfig()  # type: ignore[call-arg]  # must be an error
    types.TensorData([1], dtype="int32")  # type: ignore[arg-type]  # must be an error
    types.ModelInput.from_ints("abc")  # type: ignore[arg-type]  # must be an error
    types.Datum(model_input=[1], loss_fn_inputs={})  # type: ignore[arg-type]  # must be an error


def train(service: tinker.ServiceClient, path: str) -> None:
    """Clients are futures of themselves; their methods return futures."""
    training = service.create_lora_training_client("m", optimizer=tinker.DimuonOptimizerConfig())
    assert_type(training, tinker.TrainingClient)
    assert_type(training.result(), tinker.TrainingClient)
    assert_type(
        service.create_training_client_from_state_with_optimizer(path, "m"), tinker.TrainingClient
    )
    training.optim_step(tinker.DimuonParams(1e-3))
    training.optim_step(adam_params=tinker.AdamParams())
    training.optim_step(1e-3)  # type: ignore[arg-type]  # must be an error
    assert_type(training.save_state("a", 3600, overwrite=True).result().path, str)
    assert_type(training.save_weights_external("a").result().size_bytes, int | None)
    sampler = training.save_weights_and_get_sampling_client(kind="inflight")
    assert_type(sampler.get_base_model(), str)
    assert_type(
        tinker.SamplingClient.from_sampler_handle(sampler.get_sampler_handle()),
        tinker.SamplingClient,
    )
    training.save_weights_and_get_sampling_client(kind="x")  # type: ignore[arg-type]  # must be an error


async def look(rest: tinker.RestClient, admin: tinker.AdminClient) -> None:
    """Every method returns a future; the `*_async` names return its value."""
    assert_type(rest.list_sessions().result().sessions, list[str])
    assert_type(await rest.get_session_async("s", "owned"), types.GetSessionResponse)
    rest.get_session("s", "mine")  # type: ignore[arg-type]  # must be an error
    assert_type(await rest.copy_weights("p", ttl_seconds=3600), str)
    assert_type(rest.set_checkpoint_ttl_from_tinker_path("p", None), tinker.APIFuture[None])
    assert_type((await rest.whoami()).email, str | None)
    result = await rest.search_sessions(types.SessionSearchRequest(owner=types.OwnSearchOwner()))
    for session in result.sessions:
        match session.status:
            case types.SessionFailed(message=message):
                assert_type(message, str)
            case types.ClientSessionFinished(reason=reason):
                assert_type(reason.type, str)
    for event in (await admin.get_billing_usage_async("a", "b")).data:
        match event.event_info:
            case types.StorageBillingEvent(gigabyte_hours=hours):
                assert_type(hours, float)
            case types.TrainingBillingEvent(token_count=count):
                assert_type(count, int)


def connect(settings: dict[str, Any]) -> None:
    """Settings are typed by name."""
    tinker.ServiceClient(base_url="embedded", tags=["a"], max_retries=0, trace_file="run.jsonl")
    tinker.ServiceClient({"purpose": "test"}, "project", timeout=30, api_key=None)
    tinker.ServiceClient(**settings)
    tinker.ServiceClient(base_urll="embedded")  # type: ignore[call-arg]  # must be an error
    tinker.ServiceClient(timeout="soon")  # type: ignore[arg-type]  # must be an error
    tinker.ServiceClient(http_transport="curl")  # type: ignore[arg-type]  # must be an error
    tinker.RestClient(base_url="embedded", project_id="p")
    tinker.RestClient(base_urll="embedded")  # type: ignore[call-arg]  # must be an error


def frozen(params: types.AdamParams) -> None:
    """Types are immutable."""
    params.beta1 = 0.5  # type: ignore[misc]  # must be an error


class SampleAsync(Protocol):
    """The exact parameters of `SamplingClient.sample_async`, with their names and defaults."""

    async def __call__(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
        target_prompt_logprobs: types.TensorData | None = None,
        prompt_alt_tokens_k: int = 0,
        prompt_logprobs_last_n: int | None = None,
    ) -> types.SampleResponse: ...


async def await_twins(
    service: tinker.ServiceClient,
    training: tinker.TrainingClient,
    sampler: tinker.SamplingClient,
    rest: tinker.RestClient,
    data: list[types.Datum],
) -> None:
    """The `*_async` methods have the parameters of the plain methods, and the awaited result."""
    exact: SampleAsync = sampler.sample_async
    prompt, params = types.ModelInput.from_ints([1]), types.SamplingParams()
    assert_type(await exact(prompt, 1, params), types.SampleResponse)
    assert_type(
        await sampler.sample_async(prompt, num_samples=1, sampling_params=params),
        types.SampleResponse,
    )
    await sampler.sample_async(prompt, 1)  # type: ignore[call-arg]  # must be an error
    await sampler.sample_async(prompt, 1, params, topk_prompt_logprobs="5")  # type: ignore[arg-type]  # must be an error
    await sampler.sample_async(prompt, 1, params, topk=5)  # type: ignore[call-arg]  # must be an error
    assert_type(await sampler.compute_logprobs_async(prompt), list[float | None])
    step = await training.forward_backward_async(data, "cross_entropy", {"clip": 0.2})
    assert_type(step, tinker.APIFuture[types.ForwardBackwardOutput])
    await training.forward_backward_async(data, loss="cross_entropy")  # type: ignore[call-arg]  # must be an error
    await training.forward_backward_custom_async(data, len, arrays="jax")  # type: ignore[arg-type]  # must be an error
    assert_type(await training.unload_async(), tinker.APIFuture[types.UnloadModelResponse])
    assert_type(
        await service.create_lora_training_client_async("m", rank=8, seed=1), tinker.TrainingClient
    )
    await service.create_lora_training_client_async("m", rank="8")  # type: ignore[arg-type]  # must be an error
    assert_type(await service.create_sampling_client_async(base_model="m"), tinker.SamplingClient)
    assert_type(await service.get_server_capabilities_async(), types.GetServerCapabilitiesResponse)
    assert_type(await rest.delete_checkpoint_async("r", "weights/0001"), None)
    assert_type(await rest.list_training_runs_async(limit=5), types.TrainingRunsResponse)
    await rest.list_training_runs_async(page=5)  # type: ignore[call-arg]  # must be an error
