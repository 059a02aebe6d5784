"""Losses that are traced: refused, given to a server, or run here. `make test-torch` has torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

import tinker_ext as tinker
from tests.wire.flagged import announce
from tinker_ext import types
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

torch = pytest.importorskip("torch", reason="torch is no dependency; `make test-torch` has it")

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
    with make_client(server) as opened:
        yield opened


def test_where_the_server_runs_no_losses_it_runs_here(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    assert (handle.name, handle.input_names, handle.loss_id) == ("squares", ("scale",), None)
    data = [datum(1.0, 2.0), datum(3.0)]
    output = training.forward_backward_custom(data, handle).result(30)
    assert server.calls("create_custom_loss") == []
    # The fake server's logprobs are -1: the loss is the sum of the scales, and the surrogate's
    # weights are minus its gradient, twice the scale.
    assert output.metrics["loss:sum"] == output.metrics["custom/loss:sum"] == 6.0
    assert output.metrics["custom/scale:mean"] == (1.5 + 3.0) / 2
    [sent] = server.calls("forward_backward")
    inputs = [item["loss_fn_inputs"] for item in sent.body["forward_backward_input"]["data"]]
    assert [sorted(item) for item in inputs] == [["target_tokens", "weights"]] * 2
    assert [item["weights"]["data"] for item in inputs] == [[2.0, 4.0], [6.0]]


def test_a_server_that_runs_losses_is_given_it_once_and_told_its_name(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    server.respond_always("create_custom_loss", server.submitted({"loss_id": "loss-7"}))
    handles = [service.create_custom_loss(squares, RANKS).result(30) for _ in range(2)]
    assert [call.body["custom_loss_seq_id"] for call in server.calls("create_custom_loss")] == [
        0,
        1,
    ]
    [made, again] = handles
    assert made == again
    assert made.key == again.key
    first = server.calls("create_custom_loss")[0].body
    assert first["inputs"] == [{"name": "logprobs", "rank": 1}, {"name": "scale", "rank": 1}]
    assert first["graph"]["nodes"][2] == {
        "op": "call_function",
        "name": "pow_1",
        "target": "operator.pow",
        "args": [{"ref": "logprobs"}, 2],
        "kwargs": {},
    }


def test_one_request_runs_it_there(server: FakeServer, service: tinker.ServiceClient) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    there = evolve(handle, loss_id="loss-7")
    training.forward_backward_custom([datum(1.0, 2.0)], there).result(30)
    assert server.calls("forward") == []
    [sent] = server.calls("forward_backward")
    given = sent.body["forward_backward_input"]
    assert (given["loss_fn"], given["loss_fn_config"]) == ("custom", {"loss_id": "loss-7"})
    assert sorted(given["data"][0]["loss_fn_inputs"]) == ["scale", "target_tokens"]


def test_a_handle_is_of_use_to_its_session_alone(service: tinker.ServiceClient) -> None:
    handle = evolve(service.create_custom_loss(squares, RANKS).result(30), session_id="another")
    training = service.create_lora_training_client("fake/model")
    with pytest.raises(tinker.InvalidInputError, match="session another") as caught:
        training.forward_backward_custom([datum(1.0)], handle)
    assert caught.value.where == "loss_fn"


@pytest.mark.parametrize(
    ("inputs", "where", "words"),
    [
        ({"target_tokens": [1]}, "data[1].loss_fn_inputs", "reads 'scale'"),
        ({"scale": [1.0]}, "data[1].loss_fn_inputs", "reads 'target_tokens'"),
        (
            {"target_tokens": [1], "scale": [[1.0]]},
            "data[1].loss_fn_inputs['scale']",
            "this has 2",
        ),
        (
            {"target_tokens": [[1]], "scale": [1.0]},
            "data[1].loss_fn_inputs['target_tokens']",
            "logprobs of 1 dimensions, this has 2",
        ),
    ],
)
def test_data_that_the_loss_can_not_read_is_named(
    server: FakeServer,
    service: tinker.ServiceClient,
    inputs: dict[str, Any],
    where: str,
    words: str,
) -> None:
    training = service.create_lora_training_client("fake/model")
    handle = service.create_custom_loss(squares, RANKS).result(30)
    wrong = tinker.Datum(tinker.ModelInput.from_ints([1]), inputs)
    with pytest.raises(tinker.InvalidInputError, match=words) as caught:
        training.forward_backward_custom([datum(1.0), wrong], handle)
    assert caught.value.where == where
    with pytest.raises(tinker.InvalidInputError, match="torch function"):
        training.forward_backward_custom([datum(1.0)], handle, arrays="numpy")
    assert server.calls("forward") == []


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda logprobs: (logprobs * 2, {}), r"loss <lambda> .* one number, got shape \[2\]"),
        (lambda logprobs: (logprobs.shape[0], {}), "loss <lambda> .* one number, got 2"),
        (
            lambda logprobs: (logprobs.sum(), {"custom/a:sum": logprobs}),
            r"metric custom/a:sum .* one number, got shape \[2\]",
        ),
        (
            lambda logprobs: (logprobs.sum(), {"custom/n:sum": logprobs.shape[0]}),
            "metric custom/n:sum .* one number, got 2",
        ),
    ],
)
def test_what_is_not_one_number_is_refused_where_it_runs(
    service: tinker.ServiceClient, fn: Callable[..., Any], words: str
) -> None:
    training = service.create_lora_training_client("fake/model")
    made = service.create_custom_loss(fn, {"logprobs": 1})
    future = training.forward_backward_custom([datum(1.0, 2.0)], made.result(30))
    with pytest.raises(tinker.InvalidInputError, match=words):
        future.result(30)


def kinds(logprobs: Any) -> Any:
    cut = logprobs[..., 1:].clamp(max=float("inf")).reshape([2, -1])
    moved = cut.to(dtype=torch.float32, device=torch.device("cpu"))
    return moved.sum(dim=(0, 1)), {}


def test_arguments_have_one_form_each_on_the_wire(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    server.respond("create_custom_loss", server.submitted({"loss_id": "loss-1"}))
    service.create_custom_loss(kinds, {"logprobs": 1}).result(30)
    [sent] = server.calls("create_custom_loss")
    told = {
        item["target"]: (item["args"][1:], item["kwargs"]) for item in sent.body["graph"]["nodes"]
    }
    whole = [{"ellipsis": True}, {"slice": [1, None, None]}]
    assert told["operator.getitem"] == ([{"tuple": whole}], {})
    assert told["clamp"] == ([], {"max": {"float": "inf"}})
    assert told["reshape"] == ([[2, -1]], {})
    assert told["to"] == ([], {"dtype": {"dtype": "float32"}, "device": {"device": "cpu"}})
    assert told["sum"] == ([], {"dim": {"tuple": [0, 1]}})
    [output] = [item["args"] for item in sent.body["graph"]["nodes"] if item["op"] == "output"]
    assert output == [{"tuple": [{"ref": "sum_1"}, {"dict": {}}]}]


@torch.fx.wrap  # type: ignore[untyped-decorator]  # torch is no dependency
def elsewhere(logprobs: Any) -> Any:
    return logprobs


Fault = tuple[Any, Any, str]
OUTSIDE = torch.ones(2)
MODULE = torch.nn.Softmax(dim=0)
ONE: dict[str, Any] = {"logprobs": 1}
FAULTS: list[Fault] = [
    (lambda logprobs: (logprobs.sum() if logprobs.sum() > 0 else 0, {}), ONE, "can't be traced"),
    (lambda logprobs: ((logprobs * OUTSIDE).sum(), {}), ONE, "from outside"),
    (lambda logprobs: (MODULE(logprobs).sum(), {}), ONE, "use modules of torch.nn"),
    (lambda logprobs: (logprobs.sum().backward(), {}), ONE, "gradients are taken for you"),
    (lambda logprobs: (logprobs.sum().item(), {}), ONE, "keep it a tensor"),
    (lambda logprobs: (logprobs.sumsum(), {}), ONE, "which tensors have not"),
    (lambda logprobs: (elsewhere(logprobs).sum(), {}), ONE, "calls elsewhere of tests"),
    (lambda logprobs: logprobs.sum(), ONE, r"\(loss, metrics\)"),
    (lambda logprobs: (1.0, {}), ONE, "its loss as a tensor, not 1.0"),
    (lambda logprobs: (logprobs.sum(), []), ONE, "metrics as a dict"),
    (lambda logprobs: (logprobs.sum(), {"mine": logprobs.sum()}), ONE, "a metric named 'mine'"),
    (lambda logprobs: (logprobs.sum(), {"custom/a:sum": 1}), ONE, "custom/a:sum as a tensor"),
    (lambda lp: (lp.sum(), {}), {"lp": 1}, "first parameter is logprobs"),
    (lambda logprobs, *more: (logprobs, {}), ONE, "more has to be a positional one"),
    (lambda logprobs, a=1: (logprobs, {}), ONE, "a has a default"),
    (lambda logprobs, B: (logprobs, {}), ONE, "B is no name of an input"),  # noqa: N803  # the fault
    (lambda logprobs: (logprobs.sum(), {}), {}, "of logprobs, got those of nothing"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": 0}, "1 or 2 dimensions"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": 3}, "0, 1 or 2 dimensions, got 3"),
    (lambda logprobs: (logprobs.sum(), {}), {"logprobs": True}, "got True"),
    (lambda logprobs: (logprobs.sum(), {}), [1], "by parameter, got list"),
    (lambda logprobs: (logprobs.sum(), {}), {1: 1}, "got those of 1"),
    (7, ONE, "function of Python's, got int"),
    (min, ONE, "function of Python's, got builtin"),
]


@pytest.mark.parametrize(("fn", "ranks", "words"), FAULTS, ids=[fault[2] for fault in FAULTS])
def test_what_no_server_takes_is_refused_at_once(
    service: tinker.ServiceClient,
    fn: Any,
    ranks: Any,
    words: str,
) -> None:
    with pytest.raises(tinker.InvalidInputError, match=words):
        service.create_custom_loss(fn, ranks)


def test_too_many_inputs_are_refused(service: tinker.ServiceClient) -> None:
    names = ["logprobs", *(f"a{at}" for at in range(16))]
    fn = eval(f"lambda {', '.join(names)}: (logprobs.sum(), {{}})")  # of our own names
    with pytest.raises(tinker.InvalidInputError, match="at most 16"):
        service.create_custom_loss(fn, dict.fromkeys(names, 1))


def test_an_argument_without_a_form_is_refused_before_it_is_sent(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    announce(server, latest=False, custom_loss_server_side=True)
    made = service.create_custom_loss(lambda logprobs: (logprobs.sum() + 1j, {}), {"logprobs": 1})
    with pytest.raises(tinker.InvalidInputError, match="passes a complex"):
        made.result(30)
    assert server.calls("create_custom_loss") == []


def test_a_handle_can_be_shown_and_not_mistaken(service: tinker.ServiceClient) -> None:
    handle = service.create_custom_loss(squares, RANKS).result(30)
    other = service.create_custom_loss(squares, {"logprobs": 1, "scale": 0}).result(30)
    assert handle.key != other.key
    assert "graph" not in repr(handle)


def test_the_embedded_backend_trains_on_it_as_on_a_plain_function() -> None:
    def plain(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        scales = [one.loss_fn_inputs["scale"].to_torch() for one in data]
        pairs = zip(logprobs, scales, strict=True)
        return sum((one**2 * scale).sum() for one, scale in pairs), {}

    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=2, seed=1)
        handle = service.create_custom_loss(squares, RANKS).result(60)
        result = []
        for loss in (plain, handle):
            output = training.forward_backward_custom([datum(1.0, 0.5, 2.0)], loss).result(60)
            step = training.optim_step(tinker.AdamParams(learning_rate=0.0)).result(60)
            assert step.metrics is not None
            result.append((output.metrics["loss:sum"], step.metrics["grad_norm"]))
    assert result[0] == pytest.approx(result[1], rel=1e-5)
