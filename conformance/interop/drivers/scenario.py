"""One scenario for every client and server: train, save, load, sample, manage checkpoints.

TINKER_BASE_URL is the address of the server, DRIVER_PACKAGE the client's package, DRIVER_BASE_MODEL
the model, DRIVER_HEADERS further headers (JSON), and DRIVER_PROGRAM selects one of PROGRAMS:

    baseline  everything that release 0.4.1 can do, on the embedded backend
    releases  the same loop for all releases from 0.4.1 to 0.38.0, with additions where available
    tour      the steps of `tinker_ext/server_check` that an official SDK can take, on any server;
              a step that takes longer than DRIVER_STEP_SECONDS is abandoned
    responses the steps of `tour` without deliberate mistakes, after which some SDKs hang
    surface   each public method of releases from 0.24 on, on a server with canned responses
    parity    rarely used inputs, which two clients must encode identically; needs torch
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import inspect
import json
import os
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from client import (
    ABSENT,
    TIMEOUT,
    as_floats,
    make_datum,
    mean_loss,
    negative_logprob,
    resolve,
    tinker,
    types,
)
from steps import run_steps

BASE_MODEL = os.environ.get("DRIVER_BASE_MODEL", "embedded/tiny")
HEADERS = json.loads(os.environ.get("DRIVER_HEADERS", "{}"))
TEXTS = ("To be, or not to be", "That is the question", "Whether 'tis nobler", "In the mind")
# The bytes of the texts, shifted by one: every tokenizer has at least as many tokens.
BYTE_TOKENS = [[byte + 1 for byte in text.encode()] for text in TEXTS]
NO_CHECKPOINT = "tinker://no-such-run/weights/no-such-name"
# Some servers reject 0.
NO_LEARNING = 1e-12
SAMPLING = {"max_tokens": 8, "temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 3}

Step = Callable[[Any], Any]


def _invalid_weights(state: Any) -> Any:
    datum = make_datum(state.tokens[0])
    datum.loss_fn_inputs["weights"] = types.TensorData(data=[1.0], dtype="float32", shape=[1])
    return datum


@dataclass(frozen=True)
class Program:
    """The steps of one run, and the arguments in which the runs differ."""

    steps: list[Step]
    service: dict[str, Any] = field(
        default_factory=lambda: {"user_metadata": {"purpose": "interop"}}
    )
    model: dict[str, Any] = field(default_factory=lambda: {"rank": 8, "seed": 7})
    checkpoint: str = "interop"
    training_steps: int = 8
    # More datums than one request takes: 128 in 0.4.1, 1024 in later releases.
    large_batch: Step = lambda state: [make_datum(tokens[:3]) for tokens in state.tokens] * 275
    sampling: dict[str, Any] = field(default_factory=lambda: SAMPLING)
    samples: int = 2
    scoring: dict[str, Any] = field(default_factory=dict)
    ephemeral: tuple[str, ...] = ()
    second_model: tuple[Any, ...] = ()
    page: dict[str, int] = field(default_factory=lambda: {"limit": 1, "offset": 0})
    user_page: dict[str, int] = field(default_factory=lambda: {"limit": 10})
    model_id: Step = lambda training: training.model_id
    invalid_datum: Step = _invalid_weights
    # Seconds after which a step is abandoned; None waits for every step.
    limit: float | None = None
    # Skips the functions that run at exit.
    exits_at_once: bool = True


def open_service(state: Any) -> Any:
    headers = {"default_headers": HEADERS} if HEADERS else {}
    state.service = tinker.ServiceClient(**state.program.service, **headers)
    return tinker.__version__


def capabilities(state: Any) -> Any:
    if not hasattr(state, "service"):
        open_service(state)
    response = resolve(state.service.get_server_capabilities())
    return [model.model_name for model in response.supported_models]


def create_model(state: Any) -> Any:
    create = state.service.create_lora_training_client
    state.training = resolve(create(base_model=BASE_MODEL, **state.program.model))
    state.tokens = BYTE_TOKENS
    state.data = [make_datum(tokens) for tokens in state.tokens]
    state.run = state.program.model_id(state.training)
    return state.run


def get_info(state: Any) -> Any:
    return resolve(state.training.get_info()).model_data.model_name


def tokenize(state: Any) -> Any:
    tokenizer = state.training.get_tokenizer()
    state.tokens = [tokenizer.encode(text) for text in TEXTS]
    state.data = [make_datum(tokens) for tokens in state.tokens]
    return tokenizer.decode(state.tokens[0])


def forward(state: Any) -> Any:
    return forward_loss(state, state.training)


def forward_loss(state: Any, training: Any) -> float:
    return mean_loss(resolve(training.forward(state.data, "cross_entropy")))


def train(state: Any) -> Any:
    losses = []
    for _ in range(state.program.training_steps):
        output = state.training.forward_backward(state.data, "cross_entropy")
        update = state.training.optim_step(types.AdamParams(learning_rate=1e-2))
        losses.append(mean_loss(resolve(output)))
        resolve(update)
    assert losses[-1] < losses[0], losses
    return losses


def step_without_learning(training: Any) -> None:
    """Apply the gradients without a visible effect, which clears them."""
    resolve(training.optim_step(types.AdamParams(learning_rate=NO_LEARNING)))


def train_in_chunks(state: Any) -> Any:
    data = state.program.large_batch(state)
    output = resolve(state.training.forward_backward(data, "cross_entropy"))
    step_without_learning(state.training)
    return len(output.loss_fn_outputs)


def reinforce(state: Any) -> Any:
    """The losses that need the sampler's logprobs and advantages."""
    return _reinforce(state, "importance_sampling", "ppo")


def reinforce_with_config(state: Any) -> Any:
    config = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    return _reinforce(state, "ppo", arguments=(config,))


def _reinforce(state: Any, *loss_fns: str, arguments: tuple[Any, ...] = ()) -> Any:
    metrics: list[str] = []
    for loss_fn in loss_fns:
        data = [
            make_datum(
                tokens,
                logprobs=[-1.5] * (len(tokens) - 1),
                advantages=np.linspace(-1.0, 1.0, len(tokens) - 1, dtype=np.float32),
            )
            for tokens in state.tokens
        ]
        output = resolve(state.training.forward_backward(data, loss_fn, *arguments))
        metrics += sorted(output.metrics)
    step_without_learning(state.training)
    return metrics


def importance_sampling(state: Any) -> Any:
    return _reinforce_one(state, "importance_sampling")


def ppo(state: Any) -> Any:
    return _reinforce_one(state, "ppo")


def _reinforce_one(state: Any, loss_fn: str) -> Any:
    count = len(state.tokens[0]) - 1
    datum = make_datum(state.tokens[0], logprobs=[-1.5] * count, advantages=[0.5] * count)
    output = resolve(state.training.forward_backward([datum], loss_fn))
    step_without_learning(state.training)
    return sorted(output.metrics)


def custom_loss(state: Any) -> Any:
    output = resolve(state.training.forward_backward_custom(state.data, negative_logprob))
    resolve(state.training.optim_step(types.AdamParams(learning_rate=1e-2)))
    return output.metrics


def save_state(state: Any) -> Any:
    state.saved = resolve(state.training.save_state(state.program.checkpoint)).path
    return state.saved


def load_state(state: Any) -> Any:
    resolve(state.training.load_state(state.saved))
    return "loaded"


def load_state_after_damage(state: Any) -> Any:
    """Change the weights with one large update, and load the saved ones."""
    before = forward_loss(state, state.training)
    resolve(state.training.forward_backward(state.data, "cross_entropy"))
    resolve(state.training.optim_step(types.AdamParams(learning_rate=0.1)))
    damaged = forward_loss(state, state.training)
    load_state(state)
    return {
        "before": before,
        "damaged": damaged,
        "after": forward_loss(state, state.training),
    }


def create_training_client_from_state(state: Any) -> Any:
    create = state.service.create_training_client_from_state
    state.second = resolve(create(state.saved, *state.program.second_model))
    return "created"


def second_model_loss(state: Any) -> Any:
    return forward_loss(state, state.second)


def train_second_model(state: Any) -> Any:
    resolve(state.second.forward_backward(state.data, "cross_entropy"))
    resolve(state.second.optim_step(types.AdamParams(learning_rate=1e-2)))
    return "trained"


def create_from_state_with_optimizer(state: Any) -> Any:
    create = getattr(state.service, "create_training_client_from_state_with_optimizer", None)
    if create is None:
        return ABSENT
    return forward_loss(state, resolve(create(state.saved)))


def save_weights_for_sampler(state: Any) -> Any:
    save = state.training.save_weights_for_sampler
    state.sampler_path = resolve(save(state.program.checkpoint)).path
    return state.sampler_path


def create_sampling_client(state: Any) -> Any:
    state.sampler = resolve(state.service.create_sampling_client(model_path=state.sampler_path))
    return "created"


def sample(state: Any) -> Any:
    return sample_with(state, state.sampler)


def save_weights_and_get_sampling_client(state: Any) -> Any:
    save = state.training.save_weights_and_get_sampling_client
    return sample_with(state, resolve(save(*state.program.ephemeral)))


def sample_the_base_model(state: Any) -> Any:
    return sample_with(state, resolve(state.service.create_sampling_client(base_model=BASE_MODEL)))


def sample_with(state: Any, sampler: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0][:6])
    params = types.SamplingParams(**state.program.sampling)
    response = resolve(sampler.sample(prompt, state.program.samples, params))
    return [
        {
            "tokens": list(sequence.tokens),
            "logprobs": None if sequence.logprobs is None else list(sequence.logprobs),
            "stop_reason": sequence.stop_reason,
        }
        for sequence in response.sequences
    ]


def sample_with_prompt_logprobs(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0])
    params = types.SamplingParams(max_tokens=2, temperature=0.0, **state.program.scoring)
    options: dict[str, Any] = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 3}
    response = resolve(state.sampler.sample(prompt, 1, params, **options))
    return {
        "prompt": len(state.tokens[0]),
        "prompt_logprobs": as_floats(response.prompt_logprobs),
        "topk": [row and len(row) for row in response.topk_prompt_logprobs],
    }


def compute_logprobs(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0])
    return as_floats(resolve(state.sampler.compute_logprobs(prompt)))


def list_training_runs(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    state.run = state.program.model_id(state.training)
    return len(resolve(state.rest.list_training_runs(**state.program.page)).training_runs)


def get_training_run(state: Any) -> Any:
    return resolve(state.rest.get_training_run(state.run)).base_model


def get_training_run_by_path(state: Any) -> Any:
    return resolve(state.rest.get_training_run_by_tinker_path(state.saved)).base_model


def list_checkpoints(state: Any) -> Any:
    checkpoints = resolve(state.rest.list_checkpoints(state.run)).checkpoints
    return sorted(checkpoint.checkpoint_id for checkpoint in checkpoints)


def list_user_checkpoints(state: Any) -> Any:
    return len(resolve(state.rest.list_user_checkpoints(**state.program.user_page)).checkpoints)


def publish(state: Any) -> Any:
    resolve(state.rest.publish_checkpoint_from_tinker_path(state.saved))
    return "published"


def unpublish(state: Any) -> Any:
    resolve(state.rest.unpublish_checkpoint_from_tinker_path(state.saved))
    return "unpublished"


def is_public(state: Any) -> Any:
    checkpoints = resolve(state.rest.list_checkpoints(state.run)).checkpoints
    return next(item.public for item in checkpoints if item.tinker_path == state.saved)


def is_private_again(state: Any) -> Any:
    return not is_public(state)


def archive_url(state: Any) -> Any:
    get_url = getattr(state.rest, "get_checkpoint_archive_url_from_tinker_path", None)
    return ABSENT if get_url is None else bool(resolve(get_url(state.sampler_path)).url)


def download_archive(state: Any) -> Any:
    name = state.sampler_path.rsplit("/", 1)[-1]
    by_id = resolve(state.rest.get_checkpoint_archive_url(state.run, f"sampler_weights/{name}"))
    by_path = resolve(state.rest.get_checkpoint_archive_url_from_tinker_path(state.sampler_path))
    with urllib.request.urlopen(by_id.url, timeout=30) as response:
        magic = response.read(2)
    # gzip's magic number (RFC 1952 section 2.3.1)
    return {"gzip": magic == b"\x1f\x8b", "expires": by_path.expires.isoformat()}


def look_up(state: Any) -> Any:
    """Sessions, samplers, weights and expiring checkpoints, which release 0.24 added."""
    if not hasattr(state.rest, "list_sessions"):
        return ABSENT
    sessions = resolve(state.rest.list_sessions()).sessions
    session = resolve(state.rest.get_session(sessions[0]))
    weights = resolve(state.rest.get_weights_info_by_tinker_path(state.saved))
    sampler = resolve(state.rest.get_sampler(session.sampler_ids[0]))
    resolve(state.rest.set_checkpoint_ttl_from_tinker_path(state.saved, 3600))
    checkpoints = resolve(state.rest.list_checkpoints(session.training_run_ids[0])).checkpoints
    return {
        "runs": len(session.training_run_ids),
        "rank": weights.lora_rank,
        "sampler": sampler.base_model,
        "expiring": [item.checkpoint_id for item in checkpoints if item.expires_at is not None],
    }


def delete(state: Any) -> Any:
    run = state.program.model_id(state.training)
    resolve(state.rest.delete_checkpoint(run, "weights/interop"))
    resolve(state.rest.delete_checkpoint_from_tinker_path(state.sampler_path))
    return len(resolve(state.rest.list_checkpoints(run)).checkpoints)


def delete_state(state: Any) -> Any:
    resolve(state.rest.delete_checkpoint_from_tinker_path(state.saved))
    return "deleted"


def invalid_datum(state: Any) -> Any:
    """A mistake raises an error of the SDK, and the model remains usable."""
    try:
        datum = state.program.invalid_datum(state)
        resolve(state.training.forward_backward([datum], "cross_entropy"))
    except tinker.TinkerError as error:
        name = type(error).__name__
    else:
        name = "no error"
    forward(state)
    return name


def refusal(attempt: Callable[[], Any]) -> str:
    """The error that a mistake raises, or that it was accepted."""
    try:
        resolve(attempt())
    except (tinker.TinkerError, TypeError, ValueError) as error:
        return f"refused: {type(error).__name__}: {error}"
    return "accepted: the server took it"


def loss_inputs_missing(state: Any) -> Any:
    datum = types.Datum(
        model_input=types.ModelInput.from_ints(state.tokens[0]),
        loss_fn_inputs={"advantages": [1.0] * len(state.tokens[0])},
    )
    return refusal(lambda: state.training.forward_backward([datum], "importance_sampling"))


def trains_on_after_it(state: Any) -> Any:
    output = state.training.forward_backward(state.data, "cross_entropy")
    step_without_learning(state.training)
    return mean_loss(resolve(output))


def load_a_missing_state(state: Any) -> Any:
    return refusal(lambda: state.training.load_state(NO_CHECKPOINT))


def trains_on_after_a_failed_load(state: Any) -> Any:
    return trains_on_after_it(state)


def train_an_unknown_model(state: Any) -> Any:
    return refusal(lambda: state.service.create_lora_training_client("no/such-model", rank=8))


def coroutine_methods(state: Any) -> Any:
    """The `*_async` methods, as far as they differ on the wire."""
    return asyncio.run(_coroutine_methods(state))


async def _coroutine_methods(state: Any) -> Any:
    models = await state.service.get_server_capabilities_async()
    training = await state.service.create_lora_training_client_async(base_model=BASE_MODEL, rank=2)
    output = await training.forward_backward_async(state.data, "cross_entropy")
    update = await training.optim_step_async(types.AdamParams())
    await output
    await update.result_async(timeout=20)
    saved = await (await training.save_state_async("asynchronous")).result_async()
    restored = await state.service.create_training_client_from_state_async(saved.path)
    sampler = await restored.save_weights_and_get_sampling_client_async()
    prompt = types.ModelInput.from_ints(state.tokens[1])
    samples = await asyncio.gather(
        *(sampler.sample_async(prompt, 1, types.SamplingParams(max_tokens=4)) for _ in range(8))
    )
    logprobs = await sampler.compute_logprobs_async(prompt)
    return [len(models.supported_models), len(samples), len(logprobs)]


def resources_of_0_4_1(state: Any) -> Any:
    """Operations that no public client calls, or not immediately: health, heartbeat, unload."""
    from tinker._client import AsyncTinker
    from tinker.types.unload_model_request import UnloadModelRequest

    async def call() -> Any:
        client = AsyncTinker(_strict_response_validation=True)
        health = await client.service.health_check()
        await client.service.session_heartbeat(session_id=state.service.holder.get_session_id())
        request = UnloadModelRequest(model_id=state.training.model_id)
        unloading = await client.models.unload(request=request)
        return [health.status, bool(unloading.request_id)]

    return asyncio.run(call())


def close(state: Any) -> Any:
    close_service = getattr(state.service, "close", None)
    if close_service is None:
        return ABSENT
    has_status = "status" in inspect.signature(close_service).parameters
    close_service(status="success") if has_status else close_service()
    return "closed"


PROGRAMS: dict[str, Program] = {
    "baseline": Program(
        steps=[
            *(open_service, capabilities, create_model, get_info, tokenize, forward, train),
            *(train_in_chunks, reinforce, custom_loss, save_state, load_state_after_damage),
            *(create_training_client_from_state, second_model_loss, save_weights_for_sampler),
            *(create_sampling_client, sample, save_weights_and_get_sampling_client),
            *(sample_the_base_model, sample_with_prompt_logprobs, compute_logprobs),
            *(list_training_runs, get_training_run, get_training_run_by_path, list_checkpoints),
            *(list_user_checkpoints, publish, is_public, unpublish, is_private_again),
            *(download_archive, delete, invalid_datum, coroutine_methods, resources_of_0_4_1),
        ],
        model={"rank": 8, "seed": 7, "user_metadata": {"name": "first"}},
        training_steps=12,
        large_batch=lambda state: state.data * 40,
        sampling={**SAMPLING, "stop": ["\n"]},
        scoring={"stop": [0]},
        ephemeral=("ephemeral",),
        second_model=({"name": "second"},),
        invalid_datum=lambda state: types.Datum(
            model_input=types.ModelInput.from_ints([1, 2, 3]),
            loss_fn_inputs={"target_tokens": [1, 2, 3], "weights": [1.0]},
        ),
        exits_at_once=False,
    ),
    "releases": Program(
        steps=[
            *(open_service, capabilities, create_model, tokenize, forward, train),
            *(train_in_chunks, reinforce_with_config, save_state, load_state_after_damage),
            *(create_training_client_from_state, second_model_loss, train_second_model),
            *(create_from_state_with_optimizer, save_weights_for_sampler, create_sampling_client),
            *(sample, save_weights_and_get_sampling_client, sample_the_base_model),
            *(sample_with_prompt_logprobs, compute_logprobs, list_training_runs, list_checkpoints),
            *(list_user_checkpoints, get_training_run, look_up, delete, invalid_datum, close),
        ],
        # Not every release has the attribute `model_id`.
        model_id=lambda training: resolve(training.get_info()).model_id,
    ),
    "tour": Program(
        steps=[
            *(capabilities, create_model, get_info, forward, train, importance_sampling, ppo),
            *(save_state, load_state, create_training_client_from_state),
            *(save_weights_for_sampler, create_sampling_client, sample, compute_logprobs),
            *(save_weights_and_get_sampling_client, sample_the_base_model, loss_inputs_missing),
            *(trains_on_after_it, load_a_missing_state, trains_on_after_a_failed_load),
            *(train_an_unknown_model, list_training_runs, get_training_run, list_checkpoints),
            *(list_user_checkpoints, publish, unpublish, archive_url, delete_state),
        ],
        service={},
        model={"rank": 8},
        checkpoint="tour",
        sampling={"max_tokens": 6, "temperature": 0.7, "seed": 3},
        samples=1,
        page={},
        user_page={},
        limit=TIMEOUT,
    ),
}
MISTAKES = (
    *(loss_inputs_missing, trains_on_after_it, load_a_missing_state),
    *(trains_on_after_a_failed_load, train_an_unknown_model),
)
TOUR = PROGRAMS["tour"]
PROGRAMS["responses"] = replace(TOUR, steps=[step for step in TOUR.steps if step not in MISTAKES])


def main() -> None:
    name = os.environ["DRIVER_PROGRAM"]
    # `surface` and `parity` have steps of their own, which import what others do not have.
    program = PROGRAMS.get(name) or Program(**importlib.import_module(name).PROGRAM)
    run_steps(program.steps, SimpleNamespace(program=program), program.limit)
    if program.exits_at_once:
        os._exit(0)
    if tinker.__name__ == "tinker":
        # Their background threads abort the interpreter's shutdown now and then.
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
