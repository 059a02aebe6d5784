"""Traced custom losses: rejected, registered with a server, or run locally.

Needs torch: run `make test-torch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

import tinker_ext as tinker
from tests.builders import announce
from tinker_ext import types
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

torch = pytest.importorskip("torch", reason="torch is not a dependency; `make test-torch` has it")

RANKS: dict[str, types.CustomLossInputRank] = {"logprobs": 1, "scale": 1}


def squares(logprobs: Any, scale: Any) -> Any:
    loss = (logprobs**2 * scale).sum()
    return loss, {"custom/loss:sum": loss, "custom/scale:mean": scale.mean()}


def datum(*scale: float) -> tinker.Datum:
    ids = list(range(len(scale)))
    inputs: dict[str, Any] = {"target_tokens": ids, "scale": scale}
    return tinker.Datum(tinker.ModelInput.from_ints(ids), inputs)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def service(server: FakeServer) -> Iterator[tinker.ServiceClient]:
    with make_client(server) as service:
        yield service


def test_custom_loss_runs_locally_if_the_server_does_not_support_it(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    assert (handle.name, handle.input_names, handle.loss_id) == ("squares", ("scale",), None)
    data = [datum(1.0, 2.0), datum(3.0)]
    output = training.forward_backward_custom(data, handle).result(30)
    assert server.calls("create_custom_loss") == []
    # The fake server's logprobs are -1: the loss is the sum of the scales, and the surrogate's
    # weights are the negative gradient, twice the scale.
    assert output.metrics["loss:sum"] == output.metrics["custom/loss:sum"] == 6.0
    assert output.metrics["custom/scale:mean"] == (1.5 + 3.0) / 2
    [sent] = server.calls("forward_backward")
    inputs = [item["loss_fn_inputs"] for item in sent.body["forward_backward_input"]["data"]]
    assert [sorted(item) for item in inputs] == [["target_tokens", "weights"]] * 2
    assert [item["weights"]["data"] for item in inputs] == [[2.0, 4.0], [6.0]]


def test_custom_loss_is_registered_per_handle_with_its_graph(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    server.respond_always("create_custom_loss", server.submitted({"loss_id": "loss-7"}))
    handles = [service.create_custom_loss(squares, RANKS).result(30) for _ in range(2)]
    assert [call.body["custom_loss_seq_id"] for call in server.calls("create_custom_loss")] == [
        0,
        1,
    ]
    first_handle, second_handle = handles
    assert first_handle == second_handle
    assert first_handle.key == second_handle.key
    first = server.calls("create_custom_loss")[0].body
    assert first["inputs"] == [{"name": "logprobs", "rank": 1}, {"name": "scale", "rank": 1}]
    assert first["graph"]["nodes"][2] == {
        "op": "call_function",
        "name": "pow_1",
        "target": "operator.pow",
        "args": [{"ref": "logprobs"}, 2],
        "kwargs": {},
    }


def test_registered_loss_runs_on_the_server_in_one_request(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    registered = evolve(handle, loss_id="loss-7")
    training.forward_backward_custom([datum(1.0, 2.0)], registered).result(30)
    assert server.calls("forward") == []
    [sent] = server.calls("forward_backward")
    request = sent.body["forward_backward_input"]
    assert (request["loss_fn"], request["loss_fn_config"]) == ("custom", {"loss_id": "loss-7"})
    assert sorted(request["data"][0]["loss_fn_inputs"]) == ["scale", "target_tokens"]


def test_handle_of_another_session_is_rejected(service: tinker.ServiceClient) -> None:
    handle = evolve(service.create_custom_loss(squares, RANKS).result(30), session_id="another")
    training = service.create_lora_training_client("fake/model")
    with pytest.raises(tinker.InvalidInputError, match="session another") as caught:
        training.forward_backward_custom([datum(1.0)], handle)
    assert caught.value.where == "loss_fn"


@pytest.mark.parametrize(
    ("inputs", "where", "message"),
    [
        ({"target_tokens": [1]}, "data[1].loss_fn_inputs", "reads 'scale'"),
        ({"scale": [1.0]}, "data[1].loss_fn_inputs", "reads 'target_tokens'"),
        (
            {"target_tokens": [1], "scale": [[1.0]]},
            "data[1].loss_fn_inputs['scale']",
            "got 2",
        ),
        (
            {"target_tokens": [[1]], "scale": [1.0]},
            "data[1].loss_fn_inputs['target_tokens']",
            "expected 1 dimension, .* for logprobs, got 2",
        ),
    ],
)
def test_datum_that_does_not_match_the_loss_is_rejected_with_its_path(
    server: FakeServer,
    service: tinker.ServiceClient,
    inputs: dict[str, Any],
    where: str,
    message: str,
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    wrong = tinker.Datum(tinker.ModelInput.from_ints([1]), inputs)
    with pytest.raises(tinker.InvalidInputError, match=message) as caught:
        training.forward_backward_custom([datum(1.0), wrong], handle)
    assert caught.value.where == where
    with pytest.raises(tinker.InvalidInputError, match="requires arrays='torch'"):
        training.forward_backward_custom([datum(1.0)], handle, arrays="numpy")
    assert server.calls("forward") == []


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda logprobs: (logprobs * 2, {}), r"loss <lambda> .* scalar tensor, got shape \[2\]"),
        (lambda logprobs: (logprobs.shape[0], {}), "loss <lambda> .* scalar tensor, got 2"),
        (
            lambda logprobs: (logprobs.sum(), {"custom/a:sum": logprobs}),
            r"metric custom/a:sum .* scalar tensor, got shape \[2\]",
        ),
        (
            lambda logprobs: (logprobs.sum(), {"custom/n:sum": logprobs.shape[0]}),
            "metric custom/n:sum .* scalar tensor, got 2",
        ),
    ],
)
def test_local_loss_or_metric_that_is_not_a_scalar_is_rejected(
    service: tinker.ServiceClient, fn: Callable[..., Any], message: str
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(fn, {"logprobs": 1})
    future = training.forward_backward_custom([datum(1.0, 2.0)], handle.result(30))
    with pytest.raises(tinker.InvalidInputError, match=message):
        future.result(30)


def kinds(logprobs: Any) -> Any:
    cut = logprobs[..., 1:].clamp(max=float("inf")).reshape([2, -1])
    moved = cut.to(dtype=torch.float32, device=torch.device("cpu"))
    return moved.sum(dim=(0, 1)), {}


def test_graph_arguments_are_encoded_by_type(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    server.respond("create_custom_loss", server.submitted({"loss_id": "loss-1"}))
    service.create_custom_loss(kinds, {"logprobs": 1}).result(30)
    [sent] = server.calls("create_custom_loss")
    arguments = {
        item["target"]: (item["args"][1:], item["kwargs"]) for item in sent.body["graph"]["nodes"]
    }
    index = [{"ellipsis": True}, {"slice": [1, None, None]}]
    assert arguments["operator.getitem"] == ([{"tuple": index}], {})
    assert arguments["clamp"] == ([], {"max": {"float": "inf"}})
    assert arguments["reshape"] == ([[2, -1]], {})
    assert arguments["to"] == ([], {"dtype": {"dtype": "float32"}, "device": {"device": "cpu"}})
    assert arguments["sum"] == ([], {"dim": {"tuple": [0, 1]}})
    [output] = [item["args"] for item in sent.body["graph"]["nodes"] if item["op"] == "output"]
    assert output == [{"tuple": [{"ref": "sum_1"}, {"dict": {}}]}]


@torch.fx.wrap  # type: ignore[untyped-decorator]  # torch is not installed
def elsewhere(logprobs: Any) -> Any:
    return logprobs


InvalidLoss = tuple[Any, Any, str]
OUTSIDE = torch.ones(2)
MODULE = torch.nn.Softmax(dim=0)
ONE: dict[str, Any] = {"logprobs": 1}
INVALID_LOSSES: list[InvalidLoss] = [
    (lambda logprobs: (logprobs.sum() if logprobs.sum() > 0 else 0, {}), ONE, "can't be traced"),
    (lambda logprobs: ((logprobs * OUTSIDE).sum(), {}), ONE, "it may only read its parameters"),
    (lambda logprobs: (MODULE(logprobs).sum(), {}), ONE, "use torch.nn modules"),
    (lambda logprobs: (logprobs.sum().backward(), {}), ONE, "gradients are computed for you"),
    (lambda logprobs: (logprobs.sum().item(), {}), ONE, "keep the value a tensor"),
    (lambda logprobs: (logprobs.sumsum(), {}), ONE, "which is not a method of tensors"),
    (lambda logprobs: (elsewhere(logprobs).sum(), {}), ONE, "calls elsewhere of tests"),
    (lambda logprobs: logprobs.sum(), ONE, r"\(loss, metrics\)"),
    (lambda logprobs: (1.0, {}), ONE, "its loss as a tensor, not 1.0"),
    (lambda logprobs: (logprobs.sum(), []), ONE, "metrics as a dict"),
    (lambda logprobs: (logprobs.sum(), {"mine": logprobs.sum()}), ONE, "a metric named 'mine'"),
    (lambda logprobs: (logprobs.sum(), {"custom/a:sum": 1}), ONE, "custom/a:sum as a tensor"),
    (lambda lp: (lp.sum(), {}), {"lp": 1}, "first parameter must be logprobs"),
    (lambda logprobs, *more: (logprobs, {}), ONE, "more must be positional"),
    (lambda logprobs, a=1: (logprobs, {}), ONE, "a must not have a default"),
    (lambda logprobs, B: (logprobs, {}), ONE, "B is not a valid"),  # noqa: N803  # the fault
    (lambda logprobs: (logprobs.sum(), {}), {}, "of logprobs, got none"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": 0}, "1 or 2 dimensions"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": 3}, "0, 1 or 2 dimensions, got 3"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": True}, "got True"),
    (lambda logprobs: (logprobs.sum(), {}), [1], "of parameter to dimensions, got list"),
    (lambda logprobs: (logprobs.sum(), {}), {1: 1}, "of logprobs, got 1"),
    (7, ONE, "Python function, got int"),
    (min, ONE, "Python function, got builtin"),
]


@pytest.mark.parametrize(
    ("fn", "ranks", "message"), INVALID_LOSSES, ids=[invalid[2] for invalid in INVALID_LOSSES]
)
def test_untraceable_loss_is_rejected_at_once(
    service: tinker.ServiceClient,
    fn: Any,
    ranks: Any,
    message: str,
) -> None:
    with pytest.raises(tinker.InvalidInputError, match=message):
        service.create_custom_loss(fn, ranks)


def test_more_than_16_inputs_are_rejected(service: tinker.ServiceClient) -> None:
    names = ["logprobs", *(f"a{at}" for at in range(16))]
    fn = eval(f"lambda {', '.join(names)}: (logprobs.sum(), {{}})")  # names of this test
    with pytest.raises(tinker.InvalidInputError, match="at most 16"):
        service.create_custom_loss(fn, dict.fromkeys(names, 1))


def test_unserializable_graph_argument_is_rejected_before_sending(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    future = service.create_custom_loss(lambda logprobs: (logprobs.sum() + 1j, {}), {"logprobs": 1})
    with pytest.raises(tinker.InvalidInputError, match="calls a function with a complex"):
        future.result(30)
    assert server.calls("create_custom_loss") == []


def test_handle_repr_omits_graph_and_keys_differ_by_ranks(service: tinker.ServiceClient) -> None:
    handle = service.create_custom_loss(squares, RANKS).result(30)
    other = service.create_custom_loss(squares, {"logprobs": 1, "scale": 0}).result(30)
    assert handle.key != other.key
    assert "graph" not in repr(handle)


def test_embedded_backend_trains_the_same_with_handle_and_function() -> None:
    def plain(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        scales = [item.loss_fn_inputs["scale"].to_torch() for item in data]
        pairs = zip(logprobs, scales, strict=True)
        return sum((logprob**2 * scale).sum() for logprob, scale in pairs), {}

    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=2, seed=1)
        handle = service.create_custom_loss(squares, RANKS).result(60)
        results = []
        for loss in (plain, handle):
            output = training.forward_backward_custom([datum(1.0, 0.5, 2.0)], loss).result(60)
            step = training.optim_step(tinker.AdamParams(learning_rate=0.0)).result(60)
            assert step.metrics is not None
            results.append((output.metrics["loss:sum"], step.metrics["grad_norm"]))
    assert results[0] == pytest.approx(results[1], rel=1e-5)
