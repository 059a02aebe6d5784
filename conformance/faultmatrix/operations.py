"""All operations under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import tinker_ext as tinker
from conformance.faultmatrix import background_calls, background_rows, late_protocol_rows
from conformance.faultmatrix.late_protocol_rows import PATH, call, rest_client
from conformance.faultmatrix.operation import OperationUnderTest
from tinker_ext.embedded.engine.text import tokenizer_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from conformance.faultmatrix.environment import Environment

    Arrays = list[npt.NDArray[np.float32]]

PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)


def _training(env: Environment) -> tinker.TrainingClient:
    return env.service.create_lora_training_client("fake/model")


def _sampler(env: Environment) -> tinker.SamplingClient:
    return env.service.create_sampling_client(base_model="fake/model")


def _same(env: Environment) -> Environment:
    return env


def _training_with_tokenizer(env: Environment) -> tinker.TrainingClient:
    env.server.model_data["tokenizer_id"] = str(tokenizer_folder())
    return _training(env)


def _half_sum(data: Any, logprobs: Arrays) -> tuple[float, Arrays, dict[str, float]]:
    """A custom loss: minus half of the sum of the logprobs."""
    total = -0.5 * sum(float(row.sum()) for row in logprobs)
    return total, [np.full_like(row, -0.5) for row in logprobs], {"half:sum": total}


def _custom_loss(training: tinker.TrainingClient) -> tinker.ForwardBackwardOutput:
    return training.forward_backward_custom([DATUM], _half_sum, arrays="numpy").result()


def _from_state(env: Environment) -> str:
    return env.service.create_training_client_from_state(PATH).model_id


def _synchronous() -> Iterator[OperationUnderTest]:
    calls: list[tuple[str, Any, Any]] = [
        (
            "get_server_capabilities",
            _same,
            lambda client: client.service.get_server_capabilities(),
        ),
        ("create_session", _same, _sampler),
        ("create_sampling_session", _same, _sampler),
        ("get_info", _training, lambda client: client.get_info()),
        ("get_training_run", rest_client, call("get_training_run", "run-1")),
        ("list_training_runs", rest_client, call("list_training_runs")),
        ("list_checkpoints", rest_client, call("list_checkpoints", "run-1")),
        ("list_user_checkpoints", rest_client, call("list_user_checkpoints")),
        *(
            (name, rest_client, call(f"{name}_from_tinker_path", PATH))
            for name in (
                "delete_checkpoint",
                "publish_checkpoint",
                "unpublish_checkpoint",
                "get_checkpoint_archive_url",
            )
        ),
        *late_protocol_rows.CALLS,
    ]
    for name, prepare, run in calls:
        counted = 1 if name in ("create_session", "create_sampling_session") else 0
        yield OperationUnderTest(name, "synchronous", name, prepare, run, counted=counted)
    yield OperationUnderTest(
        "get_tokenizer: get_info",
        "synchronous",
        "get_info",
        _training_with_tokenizer,
        lambda client: client.get_tokenizer().decode([1, 2]),
        counted=0,
    )
    name = "get_client_config"
    yield OperationUnderTest(
        name, "synchronous", name, _same, background_calls.first_call, counted=0
    )
    name = "from_state: get_training_run"
    yield OperationUnderTest(name, "synchronous", "get_training_run", _same, _from_state, counted=2)


def _submissions() -> Iterator[OperationUnderTest]:
    submissions: list[tuple[str, Any, Any]] = [
        ("create_model", _same, _training),
        ("forward", _training, call("forward", [DATUM], "cross_entropy")),
        ("forward_backward", _training, call("forward_backward", [DATUM], "cross_entropy")),
        ("optim_step", _training, call("optim_step", tinker.AdamParams())),
        ("save_weights", _training, call("save_state", "a")),
        ("load_weights", _training, call("load_state", PATH)),
        ("save_weights_for_sampler", _training, call("save_weights_for_sampler", "a")),
        ("save_weights_external", _training, call("save_weights_external", "a")),
        ("asample", _sampler, call("sample", PROMPT, 1, PARAMS)),
    ]
    for name, prepare, run in submissions:
        yield OperationUnderTest(name, "submission", name, prepare, run)
        yield OperationUnderTest(f"result of {name}", "result", "retrieve_future", prepare, run)
    yield from _multi_step("custom loss", _training, _custom_loss, ("forward", "forward_backward"))
    yield from _multi_step("from_state", _same, _from_state, ("create_model", "load_weights"))
    yield from _multi_step(
        "save and sample",
        _training,
        lambda client: client.save_weights_and_get_sampling_client().sampling_session_id,
        ("save_weights_for_sampler",),
    )


def _multi_step(
    name: str,
    prepare: Callable[[Environment], Any],
    run: Callable[[Any], Any],
    steps: tuple[str, ...],
) -> Iterator[OperationUnderTest]:
    """One operation per submission and per poll of a call that makes several submissions."""
    count = len(steps)
    for index, step in enumerate(steps):
        title = f"{name}: {step}"
        yield OperationUnderTest(title, "submission", step, prepare, run, counted=count)
        yield OperationUnderTest(
            f"result of {title}", "result", "retrieve_future", prepare, run, count, index, count
        )


def _background() -> Iterator[OperationUnderTest]:
    yield OperationUnderTest(
        "session_heartbeat",
        "background",
        "session_heartbeat",
        _same,
        background_calls.sample_after_heartbeats,
        max_requests=background_calls.UNLIMITED,
    )
    for name in ("finish_session", "send_telemetry"):
        run = background_calls.close_with_telemetry
        yield OperationUnderTest(name, "background", name, _same, run)


OPERATIONS = [*_synchronous(), *_submissions(), *_background(), *background_rows.OPERATIONS]
