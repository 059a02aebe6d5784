"""The program `surface`: each public method of tinker 0.24 and later once, and its `*_async` twin.

It runs on a server with canned responses. A method that the release does not have is reported as
absent. DRIVER_TOKENS=yes says that the server has the client exchange its key for a token.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from typing import Any

import numpy as np
from client import ABSENT, TIMEOUT, negative_logprob, resolve, tinker, types

BASE_MODEL = "Qwen/Qwen3-8B"
TOKENS = list(range(1, 11))
RUN = "session-1:train:0"
STATE = f"tinker://{RUN}/weights/interop"
SAMPLER_STATE = f"tinker://{RUN}/sampler_weights/interop"
EXTERNAL_STATE = f"tinker://{RUN}/external_weights/interop"
TOKENS_REQUIRED = os.environ.get("DRIVER_TOKENS") == "yes"

# These use the client's connections from the caller's event loop, which the client itself forbids.
BROKEN = {(release, "get_audit_log_async") for release in ("0.24.1", "0.25.0", "0.32.0")}


def call(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method and then its `*_async` twin; return the result of the method."""
    method = getattr(owner, name, None)
    if method is None:
        return ABSENT
    kwargs = {key: value for key, value in kwargs.items() if _accepts(method, key)}
    result = resolve(method(*args, **kwargs))
    twin = getattr(owner, f"{name}_async", None)
    if twin is not None and (tinker.__version__, twin.__name__) not in BROKEN:
        asyncio.run(_await_result(twin, args, kwargs))
    return result


def _accepts(method: Any, keyword: str) -> bool:
    parameters = inspect.signature(method).parameters
    return keyword in parameters or any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


async def _await_result(method: Any, args: Any, kwargs: Any) -> None:
    value = await method(*args, **kwargs)
    if inspect.isawaitable(value):
        await value


def show(value: Any) -> Any:
    """Enough of a result to prove that it was decoded."""
    return value if value is ABSENT else f"{type(value).__name__}: {value!r}"[:200]


def weighted_datum(model_input: Any = None, **inputs: Any) -> Any:
    inputs = {"target_tokens": TOKENS, "weights": [1.0] * len(TOKENS), **inputs}
    return types.Datum(model_input=model_input or prompt(), loss_fn_inputs=inputs)


def prompt(*chunks: Any) -> Any:
    model_input = types.ModelInput.from_ints(TOKENS)
    for chunk in chunks:
        model_input = model_input.append(chunk)
    return model_input


def open_service(state: Any) -> Any:
    state.service = tinker.ServiceClient(user_metadata={"a": "b"}, project_id="project-1")
    return tinker.__version__


def capabilities(state: Any) -> Any:
    return show(call(state.service, "get_server_capabilities"))


def create_lora_training_client(state: Any) -> Any:
    options: dict[str, Any] = {"rank": 8, "seed": 3, "user_metadata": {"name": "first"}}
    state.training = call(state.service, "create_lora_training_client", BASE_MODEL, **options)
    return show(state.training)


def create_with_optimizer(state: Any) -> Any:
    """An optimizer other than the default, and its parameters."""
    if not hasattr(types, "DimuonOptimizerConfig"):
        return ABSENT
    optimizer = types.DimuonOptimizerConfig()
    create = state.service.create_lora_training_client
    training = resolve(create(BASE_MODEL, rank=8, optimizer=optimizer))
    return show(call(training, "optim_step", types.DimuonParams(learning_rate=0.1)))


def get_info(state: Any) -> Any:
    return show(call(state.training, "get_info"))


def get_tokenizer(state: Any) -> Any:
    if TOKENS_REQUIRED:
        return "left to the other run"  # takes as long as all the other steps together
    return len(call(state.training, "get_tokenizer").encode("a text"))


def forward(state: Any) -> Any:
    return show(call(state.training, "forward", [weighted_datum()], "cross_entropy"))


def _forward_backward(state: Any, data: list[Any], *args: Any) -> Any:
    return show(call(state.training, "forward_backward", data, *args))


def forward_backward(state: Any) -> Any:
    return _forward_backward(state, [weighted_datum()] * 3, "cross_entropy")


def forward_backward_with_config(state: Any) -> Any:
    config: dict[str, Any] = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    advantages = np.ones(len(TOKENS), "f4")
    datum = weighted_datum(logprobs=[-0.5] * len(TOKENS), advantages=advantages)
    datum.loss_fn_inputs.pop("weights")
    return _forward_backward(state, [datum], "ppo", config)


def forward_backward_of_two_dimensions(state: Any) -> Any:
    """Alternative targets, as a matrix that is mostly padding."""
    targets = np.array([[token, 0, 0] for token in TOKENS])
    datum = weighted_datum(target_tokens=targets, weights=np.ones(targets.shape, "f4"))
    return _forward_backward(state, [datum], "cross_entropy")


def forward_backward_of_images(state: Any) -> Any:
    image = types.ImageChunk(data=b"not really", format="png", expected_tokens=4)
    return _forward_backward(state, [weighted_datum(prompt(image))], "cross_entropy")


def forward_backward_in_chunks(state: Any) -> Any:
    data = [weighted_datum()] * 1500
    return len(resolve(state.training.forward_backward(data, "cross_entropy")).loss_fn_outputs)


def forward_backward_custom(state: Any) -> Any:
    custom = "forward_backward_custom"
    return show(call(state.training, custom, [weighted_datum()], negative_logprob))


def create_custom_loss(state: Any) -> Any:
    """A loss that runs on the server. The graph is written by hand, as tracing needs torch."""
    if not hasattr(types, "CustomLossGraph"):
        return ABSENT
    node = types.CustomLossNode
    nodes = [
        node(op="placeholder", name="logprobs", target="logprobs"),
        node(op="call_method", name="total", target="sum", args=[{"ref": "logprobs"}]),
        node(op="output", name="output", target="output", args=[{"ref": "total"}]),
    ]
    holder = state.service.holder
    inputs = [types.CustomLossInput(name="logprobs", rank=1)]
    creating = holder._create_custom_loss("total", inputs, types.CustomLossGraph(nodes=nodes))
    return show(holder.run_coroutine_threadsafe(creating).result(timeout=TIMEOUT))


def optim_step(state: Any) -> Any:
    return show(call(state.training, "optim_step", types.AdamParams(learning_rate=1e-3)))


def save_state(state: Any) -> Any:
    options = {"ttl_seconds": 3600, "overwrite": True, "user_metadata": {"a": "b"}}
    call(state.training, "save_state", "plain")
    return show(call(state.training, "save_state", "interop", **options))


def load_state(state: Any) -> Any:
    call(state.training, "load_state_with_optimizer", STATE)
    call(state.training, "load_state", STATE, weights_access_token="secret")
    return show(call(state.training, "load_state", STATE))


def create_from_state(state: Any) -> Any:
    create = "create_training_client_from_state"
    call(state.service, f"{create}_with_optimizer", STATE)
    return show(call(state.service, create, STATE, user_metadata={"a": "b"}))


def save_weights_for_sampler(state: Any) -> Any:
    options = {"ttl_seconds": 3600, "user_metadata": {"a": "b"}}
    return show(call(state.training, "save_weights_for_sampler", "interop", **options))


def save_weights_external(state: Any) -> Any:
    options = {"ttl_seconds": 3600, "age_encryption_recipients": ["age1x"]}
    return show(call(state.training, "save_weights_external", "interop", **options))


def create_sampling_client(state: Any) -> Any:
    call(state.service, "create_sampling_client", base_model=BASE_MODEL)
    call(state.training, "create_sampling_client", SAMPLER_STATE)
    state.sampler = call(state.service, "create_sampling_client", model_path=SAMPLER_STATE)
    return show(state.sampler)


def save_weights_and_get_sampling_client(state: Any) -> Any:
    call(state.training, "save_weights_and_get_sampling_client", kind="inflight")
    return show(call(state.training, "save_weights_and_get_sampling_client"))


def three_tokens(**options: Any) -> Any:
    return types.SamplingParams(max_tokens=3, **options)


def sample(state: Any) -> Any:
    params = three_tokens(temperature=0.5, top_p=0.9, top_k=10, seed=1, stop=["\n"])
    call(state.sampler, "sample", prompt(), 1, three_tokens(stop=[0]))
    return show(call(state.sampler, "sample", prompt(), 2, params))


def sample_with_all_options(state: Any) -> Any:
    options: dict[str, Any] = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 2}
    targets = np.array([[token, 0] for token in TOKENS])
    added_later: list[dict[str, Any]] = [
        {"topk_sample_logprobs": 2},
        {"prompt_alt_tokens_k": 2},
        {"include_prompt_logprobs": True, "prompt_logprobs_last_n": 3},
        {"target_prompt_logprobs": types.TensorData.from_numpy(targets)},
    ]
    for extra in (options, *added_later):
        call(state.sampler, "sample", prompt(), 1, three_tokens(), **extra)
    return show(resolve(state.sampler.sample(prompt(), 1, three_tokens(), **options)))


def sample_from_images(state: Any) -> Any:
    place = {"location": "https://x/y.png", "format": "png"}
    pointer = types.ImageAssetPointerChunk(**place, expected_tokens=4)
    return show(resolve(state.sampler.sample(prompt(pointer), 1, three_tokens())))


def compute_logprobs(state: Any) -> Any:
    return show(call(state.sampler, "compute_logprobs", prompt()))


def describe_sampler(state: Any) -> Any:
    return show(call(state.sampler, "get_base_model"))


def clone_sampler(state: Any) -> Any:
    """A sampler passed to another process samples there in the same session."""
    if not hasattr(state.sampler, "get_sampler_handle"):
        return ABSENT
    clone = tinker.SamplingClient.from_sampler_handle(state.sampler.get_sampler_handle())
    return show(resolve(clone.sample(prompt(), 1, three_tokens())))


def cancel(state: Any) -> Any:
    """Cancels a request that has no waiter left, if a flag of the server enables it."""
    holder = state.service.holder
    if not hasattr(holder, "enqueue_cancel"):
        return ABSENT
    holder.get_loop().call_soon_threadsafe(holder.enqueue_cancel, "request-1")
    asyncio.run(asyncio.sleep(0.5))
    return "sent"


# Method of the REST client, arguments, keyword arguments.
REST: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("get_server_capabilities", (), {}),
    ("get_training_run", (RUN,), {}),
    ("get_training_run_by_tinker_path", (STATE,), {"access_scope": "accessible"}),
    ("get_weights_info_by_tinker_path", (STATE,), {}),
    ("list_training_runs", (), {"limit": 5, "offset": 1, "project_id": "project-1"}),
    ("list_checkpoints", (RUN,), {}),
    ("get_checkpoint_archive_url", (RUN, "sampler_weights/interop"), {}),
    ("get_checkpoint_archive_url_from_tinker_path", (SAMPLER_STATE,), {}),
    ("get_external_weights_urls", (EXTERNAL_STATE,), {}),
    ("delete_checkpoint", (RUN, "weights/interop"), {}),
    ("delete_checkpoint_from_tinker_path", (STATE,), {}),
    ("copy_weights", (STATE,), {"destination_project_id": "project-1", "ttl_seconds": 60}),
    ("copy_weights", (STATE, "project-1"), {"weights_access_token": "secret"}),
    ("publish_checkpoint_from_tinker_path", (STATE,), {}),
    ("unpublish_checkpoint_from_tinker_path", (STATE,), {}),
    ("set_checkpoint_ttl_from_tinker_path", (STATE, 3600), {}),
    ("set_checkpoint_ttl_from_tinker_path", (STATE, None), {}),
    ("list_user_checkpoints", (), {"limit": 5, "offset": 1}),
    ("get_session", ("session-1",), {"access_scope": "accessible"}),
    ("list_sessions", (), {"limit": 5, "offset": 1}),
    ("assign_session_project", ("session-1", "project-1"), {}),
    ("export_session_trace", ("session-1",), {}),
    ("get_sampler", ("session-1:sample:0",), {}),
    ("get_audit_log", (), {"event_type": "checkpoints"}),
    ("get_billing_usage", ("2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"), {}),
    ("get_current_checkpoint_storage_usage", (), {"project_id": "project-1"}),
]


def rest(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    return _call_each(state.rest, REST)


def _call_each(client: Any, calls: Any) -> Any:
    """Make all calls, even if some fail; raise RuntimeError with the failures at the end."""
    failures, absent = {}, []
    for name, args, kwargs in calls:
        try:
            if call(client, name, *args, **kwargs) is ABSENT:
                absent.append(name)
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"[:500]
    if failures:
        raise RuntimeError(failures)
    return {"absent": absent}


def whoami(state: Any) -> Any:
    """Decoded from the token that the client exchanged its key for."""
    return show(call(state.rest, "whoami")) if TOKENS_REQUIRED else "no token"


def search_sessions(state: Any) -> Any:
    if not hasattr(state.rest, "search_sessions"):
        return ABSENT
    from tinker.types import AccessibleSearchOwner, SessionSearchRequest

    request = SessionSearchRequest(
        project_ids=["project-1"],
        user_metadata={"a": "b"},
        display_name="nightly",
        owner=AccessibleSearchOwner(),
        limit=10,
    )
    page = resolve(state.rest.search_sessions(request))
    next_request = request.model_copy(update={"cursor": page.next_cursor})
    return show(resolve(state.rest.search_sessions(next_request)))


def administrate(state: Any) -> Any:
    if not hasattr(tinker, "AdminClient"):
        return ABSENT
    names = ("get_audit_log", "get_billing_usage", "get_current_checkpoint_storage_usage")
    return _call_each(tinker.AdminClient(), [item for item in REST if item[0] in names])


def copy_weights_into_session(state: Any) -> Any:
    return show(call(state.service, "copy_weights", STATE, ttl_seconds=60))


def log_in_and_out(state: Any) -> Any:
    """The calls of the official command `auth`, which do not use the client."""
    try:
        from tinker.cli.auth_api import TinkerAuthApi
    except ImportError:
        return ABSENT
    import httpx

    with httpx.Client(timeout=TIMEOUT) as http:
        api = TinkerAuthApi(http)
        key = api.get_self_api_key(os.environ["TINKER_API_KEY"])
        api.delete_self_api_key(os.environ["TINKER_API_KEY"])
    return show(key)


def low_level_resources(state: Any) -> Any:
    """Resource methods that no public client calls."""
    from tinker.lib.client_connection_pool_type import ClientConnectionPoolType

    holder = state.service.holder

    async def use() -> Any:
        with holder.aclient(ClientConnectionPoolType.SESSION) as client:
            health = await client.service.health_check()
            await client.service.session_heartbeat(session_id="session-1")
            if hasattr(client.models, "unload"):
                from tinker.types.unload_model_request import UnloadModelRequest

                await client.models.unload(request=UnloadModelRequest(model_id=RUN))
        return health.status

    return holder.run_coroutine_threadsafe(use()).result(timeout=TIMEOUT)


def close(state: Any) -> Any:
    telemetry = state.service.get_telemetry()
    if telemetry is not None and hasattr(telemetry, "_trigger_flush"):
        telemetry._trigger_flush()
    asyncio.run(asyncio.sleep(0.5))
    if not hasattr(state.service, "close"):
        return ABSENT
    resolve(state.service.close("errored", "on purpose"))
    return "closed"


PROGRAM: dict[str, Any] = {
    "steps": [
        *(open_service, capabilities, create_lora_training_client, create_with_optimizer),
        *(get_info, get_tokenizer, forward, forward_backward, forward_backward_with_config),
        *(forward_backward_of_two_dimensions, forward_backward_of_images),
        *(forward_backward_in_chunks, forward_backward_custom, create_custom_loss, optim_step),
        *(save_state, load_state, create_from_state, save_weights_for_sampler),
        *(save_weights_external, create_sampling_client, save_weights_and_get_sampling_client),
        *(sample, sample_with_all_options, sample_from_images, compute_logprobs),
        *(describe_sampler, clone_sampler, cancel, rest, whoami, search_sessions, administrate),
        *(copy_weights_into_session, log_in_and_out, low_level_resources, close),
    ],
    "exits_at_once": False,
}
