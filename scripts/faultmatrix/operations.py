"""The rows: what a user calls, and which request of it the fault hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tinker_ext as tinker
from faultmatrix import background, later, unasked
from faultmatrix.later import PATH, rest
from faultmatrix.operation import Operation
from tinker_ext.embedded.engine.text import tokenizer_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from faultmatrix.scene import Scene

    Arrays = list[npt.NDArray[np.float32]]

PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)


def _training(scene: Scene) -> tinker.TrainingClient:
    return scene.service.create_lora_training_client("fake/model")


def _sampler(scene: Scene) -> tinker.SamplingClient:
    return scene.service.create_sampling_client(base_model="fake/model")


def _itself(scene: Scene) -> Scene:
    return scene


def _with_a_tokenizer(scene: Scene) -> tinker.TrainingClient:
    scene.server.model_data["tokenizer_id"] = str(tokenizer_folder())
    return _training(scene)


def _halved(data: Any, logprobs: Arrays) -> tuple[float, Arrays, dict[str, float]]:
    """A loss of the user's own: minus half of the logprobs' sum."""
    total = -0.5 * sum(float(logprob.sum()) for logprob in logprobs)
    return total, [logprob * 0 - 0.5 for logprob in logprobs], {"half:sum": total}


def _custom_loss(training: tinker.TrainingClient) -> tinker.ForwardBackwardOutput:
    return training.forward_backward_custom([DATUM], _halved, arrays="numpy").result()


def _from_state(scene: Scene) -> str:
    return scene.service.create_training_client_from_state(PATH).model_id


def _calls() -> Iterator[Operation]:
    calls: list[tuple[str, Any, Any]] = [
        (
            "get_server_capabilities",
            _itself,
            lambda it: it.service.get_server_capabilities(),
        ),
        ("create_session", _itself, _sampler),
        ("create_sampling_session", _itself, _sampler),
        ("get_info", _training, lambda it: it.get_info()),
        ("get_training_run", rest, lambda it: it.get_training_run("run-1").result()),
        ("list_training_runs", rest, lambda it: it.list_training_runs().result()),
        ("list_checkpoints", rest, lambda it: it.list_checkpoints("run-1").result()),
        ("list_user_checkpoints", rest, lambda it: it.list_user_checkpoints().result()),
        (
            "delete_checkpoint",
            rest,
            lambda it: it.delete_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "publish_checkpoint",
            rest,
            lambda it: it.publish_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "unpublish_checkpoint",
            rest,
            lambda it: it.unpublish_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "get_checkpoint_archive_url",
            rest,
            lambda it: it.get_checkpoint_archive_url_from_tinker_path(PATH).result(),
        ),
        *later.CALLS,
    ]
    for name, prepare, run in calls:
        counts = 1 if name in ("create_session", "create_sampling_session") else 0
        yield Operation(name, "call", name, prepare, run, counts=counts)
    yield Operation(
        "get_tokenizer: get_info",
        "call",
        "get_info",
        _with_a_tokenizer,
        lambda it: it.get_tokenizer().decode([1, 2]),
        counts=0,
    )
    name = "get_client_config"
    yield Operation(name, "call", name, _itself, background.ask_at_all, counts=0)
    name = "from_state: get_training_run"
    yield Operation(name, "call", "get_training_run", _itself, _from_state, counts=2)


def _work() -> Iterator[Operation]:
    work: list[tuple[str, Any, Any]] = [
        ("create_model", _itself, _training),
        ("forward", _training, lambda it: it.forward([DATUM], "cross_entropy").result()),
        (
            "forward_backward",
            _training,
            lambda it: it.forward_backward([DATUM], "cross_entropy").result(),
        ),
        ("optim_step", _training, lambda it: it.optim_step(tinker.AdamParams()).result()),
        ("save_weights", _training, lambda it: it.save_state("a").result()),
        ("load_weights", _training, lambda it: it.load_state(PATH).result()),
        (
            "save_weights_for_sampler",
            _training,
            lambda it: it.save_weights_for_sampler("a").result(),
        ),
        (
            "save_weights_external",
            _training,
            lambda it: it.save_weights_external("a").result(),
        ),
        ("asample", _sampler, lambda it: it.sample(PROMPT, 1, PARAMS).result()),
    ]
    for name, prepare, run in work:
        yield Operation(name, "submission", name, prepare, run)
        yield Operation(f"result of {name}", "result", "retrieve_future", prepare, run)
    yield from _of_several("custom loss", _training, _custom_loss, ("forward", "forward_backward"))
    yield from _of_several("from_state", _itself, _from_state, ("create_model", "load_weights"))
    yield from _of_several(
        "save and sample",
        _training,
        lambda it: it.save_weights_and_get_sampling_client().sampling_session_id,
        ("save_weights_for_sampler",),
    )


def _of_several(
    name: str, prepare: Callable[[Scene], Any], run: Callable[[Any], Any], steps: tuple[str, ...]
) -> Iterator[Operation]:
    """A call that is several submissions, each of whose requests the fault hits in turn."""
    many = len(steps)
    for place, step in enumerate(steps):
        title = f"{name}: {step}"
        yield Operation(title, "submission", step, prepare, run, counts=many)
        yield Operation(
            f"result of {title}", "result", "retrieve_future", prepare, run, many, place, many
        )


def _background() -> Iterator[Operation]:
    yield Operation(
        "session_heartbeat",
        "background",
        "session_heartbeat",
        _itself,
        background.sample_after_heartbeats,
        sends=background.MANY,
        counts=2,
    )
    yield Operation(
        "finish_session", "background", "finish_session", _itself, background.close_with_telemetry
    )
    yield Operation(
        "send_telemetry", "background", "send_telemetry", _itself, background.close_with_telemetry
    )


OPERATIONS = [*_calls(), *_work(), *_background(), *unasked.OPERATIONS]
