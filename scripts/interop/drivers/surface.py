"""The whole public surface of tinker 0.24 and later, each method once, and where there is one its
`*_async` twin; against a server that answers anything.

Runs in the environment of the release; TINKER_BASE_URL says where the server is. A method that the
release does not have is reported as absent.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import tinker
from steps import Steps
from tinker import types

warnings.simplefilter("ignore")  # many of these methods are deprecated; they are still public

step = Steps()

BASE_MODEL = "Qwen/Qwen3-8B"
TOKENS = list(range(1, 11))
RUN = "session-1:train:0"
STATE = f"tinker://{RUN}/weights/interop"
SAMPLER_STATE = f"tinker://{RUN}/sampler_weights/interop"
EXTERNAL_STATE = f"tinker://{RUN}/external_weights/interop"
ABSENT = "absent"
WAIT = 30.0
# Whether the server has the client exchange its key.
EXCHANGED = os.environ.get("DRIVER_TOKENS") == "yes"

# It uses the client's connections from the caller's loop, which the client itself forbids.
BROKEN = {(release, "get_audit_log_async") for release in ("0.24.1", "0.25.0", "0.32.0")}


def call(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method, and its twin for event loops, and wait; gives the first one's result."""
    method = getattr(owner, name, None)
    if method is None:
        return ABSENT
    kwargs = {key: value for key, value in kwargs.items() if _takes(method, key)}
    result = _waited(method(*args, **kwargs))
    twin = getattr(owner, f"{name}_async", None)
    if twin is not None and (tinker.__version__, twin.__name__) not in BROKEN:
        asyncio.run(_awaited(twin, args, kwargs))
    return result


def _takes(method: Any, keyword: str) -> bool:
    parameters = inspect.signature(method).parameters
    return keyword in parameters or any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    )


def _waited(value: Any) -> Any:
    return value.result(timeout=WAIT) if hasattr(value, "result") else value


async def _awaited(method: Any, args: Any, kwargs: Any) -> None:
    value = await method(*args, **kwargs)
    if inspect.isawaitable(value):
        await value


def told(value: Any) -> Any:
    """Enough of a result to see that it was read."""
    return value if value is ABSENT else f"{type(value).__name__}: {value!r}"[:200]


def datum(**more: Any) -> Any:
    inputs = {"target_tokens": TOKENS, "weights": [1.0] * len(TOKENS), **more}
    return types.Datum(model_input=types.ModelInput.from_ints(TOKENS), loss_fn_inputs=inputs)


@step
def open_service(state: Any) -> Any:
    state.service = tinker.ServiceClient(user_metadata={"a": "b"}, project_id="project-1")
    return tinker.__version__


@step
def capabilities(state: Any) -> Any:
    return told(call(state.service, "get_server_capabilities"))


@step
def create_lora_training_client(state: Any) -> Any:
    made = call(
        state.service,
        "create_lora_training_client",
        BASE_MODEL,
        rank=8,
        seed=3,
        user_metadata={"name": "first"},
    )
    state.training = made
    return told(made)


@step
def create_with_optimizer(state: Any) -> Any:
    """The optimizer that is not the default one, and its parameters."""
    if not hasattr(types, "DimuonOptimizerConfig"):
        return ABSENT
    made = state.service.create_lora_training_client(
        BASE_MODEL, rank=8, optimizer=types.DimuonOptimizerConfig()
    )
    training = _waited(made)
    return told(call(training, "optim_step", types.DimuonParams(learning_rate=0.1)))


@step
def get_info(state: Any) -> Any:
    return told(call(state.training, "get_info"))


@step
def get_tokenizer(state: Any) -> Any:
    if EXCHANGED:
        return "in the other run"  # it takes as long as all the rest together
    return len(call(state.training, "get_tokenizer").encode("a text"))


@step
def forward(state: Any) -> Any:
    return told(call(state.training, "forward", [datum()], "cross_entropy"))


@step
def forward_backward(state: Any) -> Any:
    return told(call(state.training, "forward_backward", [datum()] * 3, "cross_entropy"))


@step
def forward_backward_with_config(state: Any) -> Any:
    config: dict[str, Any] = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    reinforced = datum(logprobs=[-0.5] * len(TOKENS), advantages=np.ones(len(TOKENS), "f4"))
    reinforced.loss_fn_inputs.pop("weights")
    return told(call(state.training, "forward_backward", [reinforced], "ppo", config))


@step
def forward_backward_of_two_dimensions(state: Any) -> Any:
    """Targets with alternatives, as a matrix of which most is padding."""
    targets = np.array([[token, 0, 0] for token in TOKENS])
    one = datum(target_tokens=targets, weights=np.ones(targets.shape, "f4"))
    return told(call(state.training, "forward_backward", [one], "cross_entropy"))


@step
def forward_backward_of_images(state: Any) -> Any:
    chunk = types.ImageChunk(data=b"not really", format="png", expected_tokens=4)
    one = types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS).append(chunk),
        loss_fn_inputs={"target_tokens": TOKENS, "weights": [1.0] * len(TOKENS)},
    )
    return told(call(state.training, "forward_backward", [one], "cross_entropy"))


@step
def forward_backward_in_chunks(state: Any) -> Any:
    output = _waited(state.training.forward_backward([datum()] * 1500, "cross_entropy"))
    return len(output.loss_fn_outputs)


@step
def forward_backward_custom(state: Any) -> Any:
    def negative(data: Any, logprobs: Any) -> Any:
        loss = -(sum(one.sum() for one in logprobs))
        return loss, {"custom:sum": loss.item()}

    return told(call(state.training, "forward_backward_custom", [datum()], negative))


@step
def create_custom_loss(state: Any) -> Any:
    """A loss that runs on the server: a graph made by hand, as tracing one needs all of torch."""
    if not hasattr(types, "CustomLossGraph"):
        return ABSENT
    nodes = [
        types.CustomLossNode(op="placeholder", name="logprobs", target="logprobs"),
        types.CustomLossNode(
            op="call_method", name="total", target="sum", args=[{"ref": "logprobs"}]
        ),
        types.CustomLossNode(op="output", name="output", target="output", args=[{"ref": "total"}]),
    ]
    holder = state.service.holder
    creating = holder._create_custom_loss(
        "total",
        [types.CustomLossInput(name="logprobs", rank=1)],
        types.CustomLossGraph(nodes=nodes),
    )
    return told(holder.run_coroutine_threadsafe(creating).result(timeout=WAIT))


@step
def optim_step(state: Any) -> Any:
    return told(call(state.training, "optim_step", types.AdamParams(learning_rate=1e-3)))


@step
def save_state(state: Any) -> Any:
    more = {"ttl_seconds": 3600, "overwrite": True, "user_metadata": {"a": "b"}}
    call(state.training, "save_state", "plain")
    return told(call(state.training, "save_state", "interop", **more))


@step
def load_state(state: Any) -> Any:
    call(state.training, "load_state_with_optimizer", STATE)
    call(state.training, "load_state", STATE, weights_access_token="secret")
    return told(call(state.training, "load_state", STATE))


@step
def create_from_state(state: Any) -> Any:
    call(state.service, "create_training_client_from_state_with_optimizer", STATE)
    return told(
        call(state.service, "create_training_client_from_state", STATE, user_metadata={"a": "b"})
    )


@step
def save_weights_for_sampler(state: Any) -> Any:
    more = {"ttl_seconds": 3600, "user_metadata": {"a": "b"}}
    return told(call(state.training, "save_weights_for_sampler", "interop", **more))


@step
def save_weights_external(state: Any) -> Any:
    more = {"ttl_seconds": 3600, "age_encryption_recipients": ["age1x"]}
    return told(call(state.training, "save_weights_external", "interop", **more))


@step
def create_sampling_client(state: Any) -> Any:
    call(state.service, "create_sampling_client", base_model=BASE_MODEL)
    call(state.training, "create_sampling_client", SAMPLER_STATE)
    made = call(state.service, "create_sampling_client", model_path=SAMPLER_STATE)
    state.sampler = made
    return told(made)


@step
def save_weights_and_get_sampling_client(state: Any) -> Any:
    call(state.training, "save_weights_and_get_sampling_client", kind="inflight")
    return told(call(state.training, "save_weights_and_get_sampling_client"))


@step
def sample(state: Any) -> Any:
    params = types.SamplingParams(
        max_tokens=3, temperature=0.5, top_p=0.9, top_k=10, seed=1, stop=["\n"]
    )
    prompt = types.ModelInput.from_ints(TOKENS)
    call(state.sampler, "sample", prompt, 1, types.SamplingParams(max_tokens=3, stop=[0]))
    return told(call(state.sampler, "sample", prompt, 2, params))


@step
def sample_with_everything(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(TOKENS)
    plain = types.SamplingParams(max_tokens=3)
    more: dict[str, Any] = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 2}
    call(state.sampler, "sample", prompt, 1, plain, **more)
    targets = np.array([[token, 0] for token in TOKENS])
    newer: list[dict[str, Any]] = [
        {"topk_sample_logprobs": 2},
        {"prompt_alt_tokens_k": 2},
        {"include_prompt_logprobs": True, "prompt_logprobs_last_n": 3},
        {"target_prompt_logprobs": types.TensorData.from_numpy(targets)},
    ]
    for extra in newer:
        call(state.sampler, "sample", prompt, 1, plain, **extra)
    return told(_waited(state.sampler.sample(prompt, 1, plain, **more)))


@step
def sample_from_images(state: Any) -> Any:
    pointer = types.ImageAssetPointerChunk(
        location="https://x/y.png", format="png", expected_tokens=4
    )
    prompt = types.ModelInput.from_ints(TOKENS).append(pointer)
    return told(_waited(state.sampler.sample(prompt, 1, types.SamplingParams(max_tokens=3))))


@step
def compute_logprobs(state: Any) -> Any:
    return told(call(state.sampler, "compute_logprobs", types.ModelInput.from_ints(TOKENS)))


@step
def describe_sampler(state: Any) -> Any:
    return told(call(state.sampler, "get_base_model"))


@step
def clone_sampler(state: Any) -> Any:
    """A sampler handed to another process samples there, in the same session."""
    if not hasattr(state.sampler, "get_sampler_handle"):
        return ABSENT
    clone = tinker.SamplingClient.from_sampler_handle(state.sampler.get_sampler_handle())
    prompt = types.ModelInput.from_ints(TOKENS)
    return told(_waited(clone.sample(prompt, 1, types.SamplingParams(max_tokens=3))))


@step
def cancel(state: Any) -> Any:
    """What nobody waits for any more is given up on the server, where it is told to allow it."""
    holder = state.service.holder
    if not hasattr(holder, "enqueue_cancel"):
        return ABSENT
    holder.get_loop().call_soon_threadsafe(holder.enqueue_cancel, "request-1")
    asyncio.run(asyncio.sleep(0.5))
    return "asked"


# Method of the REST client, arguments, keywords.
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


@step
def rest(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    return _each(state.rest, REST)


def _each(client: Any, calls: Any) -> Any:
    failed, absent = {}, []
    for name, args, kwargs in calls:
        try:
            if call(client, name, *args, **kwargs) is ABSENT:
                absent.append(name)
        except Exception as error:  # the next ones are tried all the same
            failed[name] = f"{type(error).__name__}: {error}"[:500]
    if failed:
        raise RuntimeError(failed)
    return {"absent": absent}


@step
def whoami(state: Any) -> Any:
    """Read from the token that the client exchanged its key for, where there is one."""
    if not EXCHANGED:
        return "no token"
    return told(call(state.rest, "whoami"))


@step
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
    page = _waited(state.rest.search_sessions(request))
    again = request.model_copy(update={"cursor": page.next_cursor})
    return told(_waited(state.rest.search_sessions(again)))


@step
def administrate(state: Any) -> Any:
    if not hasattr(tinker, "AdminClient"):
        return ABSENT
    names = ("get_audit_log", "get_billing_usage", "get_current_checkpoint_storage_usage")
    return _each(tinker.AdminClient(), [one for one in REST if one[0] in names])


@step
def copy_weights_into_session(state: Any) -> Any:
    return told(call(state.service, "copy_weights", STATE, ttl_seconds=60))


@step
def log_in_and_out(state: Any) -> Any:
    """The calls of the command line's `auth`, which go past the client."""
    try:
        from tinker.cli.auth_api import TinkerAuthApi
    except ImportError:
        return ABSENT
    import httpx

    with httpx.Client(timeout=WAIT) as http:
        api = TinkerAuthApi(http)
        found = api.get_self_api_key(os.environ["TINKER_API_KEY"])
        api.delete_self_api_key(os.environ["TINKER_API_KEY"])
    return told(found)


@step
def low_level(state: Any) -> Any:
    """What the resources have and no public client calls."""
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

    return holder.run_coroutine_threadsafe(use()).result(timeout=WAIT)


@step
def close(state: Any) -> Any:
    telemetry = state.service.get_telemetry()
    if telemetry is not None and hasattr(telemetry, "_trigger_flush"):
        telemetry._trigger_flush()
    asyncio.run(asyncio.sleep(0.5))
    if not hasattr(state.service, "close"):
        return ABSENT
    _waited(state.service.close("errored", "on purpose"))
    return "closed"


if __name__ == "__main__":
    step.run(SimpleNamespace())
