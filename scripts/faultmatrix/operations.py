"""The rows: what a user calls, and which request of it the fault hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

import tinker_ext as tinker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Group = Literal["call", "submission", "result"]
GROUPS: dict[Group, str] = {
    "call": "answered at once",
    "submission": "submitting work",
    "result": "fetching its result",
}
PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)
PATH = "tinker://run-1/weights/a"


@frozen
class Operation:
    """A row: what the user calls, and which request of it the fault hits."""

    name: str
    group: Group
    endpoint: str
    prepare: Callable[[tinker.ServiceClient], Any]
    run: Callable[[Any], Any]


def _training(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


def _sampler(service: tinker.ServiceClient) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model="fake/model")


def _itself(service: tinker.ServiceClient) -> tinker.ServiceClient:
    return service


def _rest(service: tinker.ServiceClient) -> tinker.RestClient:
    return service.create_rest_client()


def _operations() -> Iterator[Operation]:
    calls: list[tuple[str, Any, Any]] = [
        ("get_server_capabilities", _itself, lambda it: it.get_server_capabilities()),
        ("create_session", _itself, _sampler),
        ("create_sampling_session", _itself, _sampler),
        ("get_info", _training, lambda it: it.get_info()),
        ("get_training_run", _rest, lambda it: it.get_training_run("run-1").result()),
        ("list_training_runs", _rest, lambda it: it.list_training_runs().result()),
        ("list_checkpoints", _rest, lambda it: it.list_checkpoints("run-1").result()),
        ("list_user_checkpoints", _rest, lambda it: it.list_user_checkpoints().result()),
        (
            "delete_checkpoint",
            _rest,
            lambda it: it.delete_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "publish_checkpoint",
            _rest,
            lambda it: it.publish_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "unpublish_checkpoint",
            _rest,
            lambda it: it.unpublish_checkpoint_from_tinker_path(PATH).result(),
        ),
        (
            "get_checkpoint_archive_url",
            _rest,
            lambda it: it.get_checkpoint_archive_url_from_tinker_path(PATH).result(),
        ),
    ]
    for name, prepare, run in calls:
        yield Operation(name, "call", name, prepare, run)
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
        ("asample", _sampler, lambda it: it.sample(PROMPT, 1, PARAMS).result()),
    ]
    for name, prepare, run in work:
        yield Operation(name, "submission", name, prepare, run)
    for name, prepare, run in work:
        yield Operation(f"result of {name}", "result", "retrieve_future", prepare, run)


OPERATIONS = list(_operations())
