"""Results that do not match their request raise errors that name the field (JSON, protobuf)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, datum
from tinker_ext import types
from tinker_ext.testing import FakeServer, Reply
from tinker_ext.transport.response import ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Callable

SEQUENCE: dict[str, Any] = {"stop_reason": "length", "tokens": [1, 2], "logprobs": [-1.0, -2.0]}
TENSOR: dict[str, Any] = {"data": [-1.0, -1.0], "dtype": "float32", "shape": [2]}
HUGE = 2**40
LOGPROBS, SIZES = "loss_fn_outputs[0]['logprobs']", "expected at most 32 non-negative integers"


def tensor(**change: Any) -> dict[str, Any]:
    return {**TENSOR, **change}


def sampled(service: tinker.ServiceClient, server: FakeServer, result: Any, **options: Any) -> Any:
    server.respond("asample", server.submitted(result))
    sampler = service.create_sampling_client(base_model="fake/model")
    return sampler.sample(PROMPT, 1, PARAMS, **options).result(10)


def trained(service: tinker.ServiceClient, server: FakeServer, outputs: Any) -> Any:
    result = {"loss_fn_output_type": "x", "loss_fn_outputs": outputs, "metrics": {}}
    server.respond("forward_backward", server.submitted(result))
    training = service.create_lora_training_client("fake/model")
    return training.forward_backward([datum()], "cross_entropy").result(10)


def refused(run: Callable[[], Any], message: str) -> None:
    with pytest.raises(tinker.APIResponseValidationError) as caught:
        run()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "sequences: expected 1 (num_samples), got 0"),
        (None, "sequences: expected 1 (num_samples), got 0"),
        ([SEQUENCE] * 2, "sequences: expected 1 (num_samples), got 2"),
        ([None], "sequences[0]: expected an object, got NoneType"),
        ([{**SEQUENCE, "tokens": None}], "sequences[0].tokens: expected token ids, got null"),
        ([{**SEQUENCE, "tokens": [1, None]}], "sequences[0].tokens[1]: expected a token id"),
        ([{**SEQUENCE, "tokens": [1, 2.0]}], "sequences[0].tokens[1]: expected a token id"),
        ([{**SEQUENCE, "tokens": [1, True]}], "sequences[0].tokens[1]: expected a token id"),
        ([{**SEQUENCE, "tokens": [1, -2]}], "sequences[0].tokens[1]: expected a token id, got -2"),
        ([{**SEQUENCE, "tokens": [1, HUGE]}], f"sequences[0].tokens[1]: {HUGE} is too large"),
        ([{**SEQUENCE, "logprobs": [-1.0]}], "sequences[0].logprobs: expected 2 logprobs"),
        ([{**SEQUENCE, "logprobs": [-1.0, None]}], "sequences[0].logprobs[1]: expected a logprob"),
        ([{**SEQUENCE, "logprobs": [-1.0, "x"]}], "sequences[0].logprobs[1]: expected a logprob"),
        ([{**SEQUENCE, "topk_logprobs": [None]}], "sequences[0].topk_logprobs: expected 2 rows"),
        ([{**SEQUENCE, "topk_logprobs": [[[1]], None]}], "sequences[0].topk_logprobs[0]: expected"),
        ([{"stop_reason": "stop"}], "sequences[0]: the field 'tokens' is missing"),
    ],
)
def test_mismatched_sequence_raises_with_its_path(
    server: FakeServer, service: tinker.ServiceClient, sequences: Any, message: str
) -> None:
    refused(lambda: sampled(service, server, {"sequences": sequences}), message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"prompt_logprobs": [None]}, "prompt_logprobs: expected 3 entries"),
        ({"prompt_logprobs": [None, -1, -1, -1]}, "prompt_logprobs: expected 3 entries"),
        ({"prompt_logprobs": [None, "a", -1]}, "prompt_logprobs[1]: expected a logprob or null"),
        ({"topk_prompt_logprobs": [None]}, "topk_prompt_logprobs: expected 3 entries"),
        ({"topk_prompt_logprobs": [None, [[1, None]], None]}, "topk_prompt_logprobs: logprobs"),
    ],
)
def test_prompt_logprobs_of_another_length_raise(
    server: FakeServer, service: tinker.ServiceClient, more: dict[str, Any], message: str
) -> None:
    result = {"sequences": [SEQUENCE], **more}
    refused(lambda: sampled(service, server, result, include_prompt_logprobs=True), message)


@pytest.mark.parametrize("values", [[None, -1.0, -2.0], [-3.0, -1.0, -2.0], [-1.0, -2.0]])
def test_prompt_logprobs_may_omit_the_first_token(
    server: FakeServer, service: tinker.ServiceClient, values: list[float | None]
) -> None:
    result = {"sequences": [SEQUENCE], "prompt_logprobs": values}
    response = sampled(service, server, result, include_prompt_logprobs=True)
    assert response.prompt_logprobs == values


def test_optional_logprobs_may_be_missing(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    result = {"sequences": [{"stop_reason": "new", "tokens": [5], "logprobs": None}]}
    response = sampled(service, server, result, include_prompt_logprobs=True)
    assert response.sequences[0].logprobs is None
    assert response.prompt_logprobs is None


def test_compute_logprobs_without_logprobs_raises(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    server.respond("asample", server.submitted({"sequences": [SEQUENCE]}))
    sampler = service.create_sampling_client(base_model="fake/model")
    refused(lambda: sampler.compute_logprobs(PROMPT).result(10), "prompt_logprobs: expected a list")


def test_target_logprobs_of_another_shape_raise(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    targets = types.TensorData([[5], [6]])
    result = {"sequences": [SEQUENCE], "target_prompt_logprobs": TENSOR}
    refused(
        lambda: sampled(service, server, result, target_prompt_logprobs=targets),
        "target_prompt_logprobs: expected float32 of the shape [2, 1], got float32 of [2]",
    )


def test_alternative_tokens_of_another_shape_raise(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    drawn: dict[str, Any] = {
        "tokens": {"data": [1, 2], "dtype": "int64", "shape": [2, 1]},
        "logprobs": TENSOR,
    }
    result = {"sequences": [SEQUENCE], "prompt_alt_tokens": drawn}
    refused(
        lambda: sampled(service, server, result, prompt_alt_tokens_k=1),
        "prompt_alt_tokens.logprobs: expected float32 of the shape [2, 1], got float32 of [2]",
    )


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([], "loss_fn_outputs: expected 1, one for each datum of data[0:1], got 0"),
        (None, "loss_fn_outputs: expected 1, one for each datum of data[0:1], got 0"),
        ([{}, {}], "loss_fn_outputs: expected 1, one for each datum of data[0:1], got 2"),
        ([None], "loss_fn_outputs[0]: expected an object, got NoneType"),
        (
            [{"logprobs": {**TENSOR, "data": [-1.0], "shape": [1]}}],
            "loss_fn_outputs[0]['logprobs']: expected 2 numbers, one for each target token, got 1",
        ),
        (
            [{"logprobs": tensor(shape=[3])}],
            f"{LOGPROBS}.shape: [3] has 3 elements, but the data has 2",
        ),
        ([{"logprobs": tensor(shape=[-1])}], f"{LOGPROBS}.shape: {SIZES}, got [-1]"),
        ([{"logprobs": tensor(shape=[2.0])}], f"{LOGPROBS}.shape: {SIZES}, got [2.0]"),
        ([{"logprobs": tensor(shape=[1] * 40 + [2])}], f"{LOGPROBS}.shape: {SIZES}"),
        ([{"logprobs": tensor(data=[-1.0, "a"])}], f"{LOGPROBS}.data[1]: expected a number, got"),
        ([{"logprobs": tensor(data=[[-1.0], -1.0])}], f"{LOGPROBS}.data[0]: expected a number"),
        ([{"logprobs": tensor(dtype="int64")}], f"{LOGPROBS}.data[0]: expected an integer"),
        (
            [{"logprobs": tensor(sparse_col_indices=[0, 1])}],
            f"{LOGPROBS}: a sparse tensor requires",
        ),
        ([{"logprobs": {**TENSOR, "dtype": "float8"}}], "loss_fn_outputs[0]: TypeError"),
    ],
)
def test_mismatched_output_raises_with_its_path(
    server: FakeServer, service: tinker.ServiceClient, outputs: Any, message: str
) -> None:
    refused(lambda: trained(service, server, outputs), message)


def test_null_in_a_float_tensor_is_nan(server: FakeServer, service: tinker.ServiceClient) -> None:
    output = trained(service, server, [{"logprobs": {**TENSOR, "data": [None, -1]}}])
    assert np.isnan(output.loss_fn_outputs[0]["logprobs"].to_numpy()).tolist() == [True, False]


def test_integers_too_large_for_a_tensor_raise() -> None:
    from tinker_ext.types.tensors.received import read_numbers

    with pytest.raises(ValueError, match=r"x\[1\]: .* is too large for int64"):
        read_numbers([1, 2**63], "int64", "x")
    with pytest.raises(ValueError, match=r"x\[1\]: an integer of 1329 bits is too large"):
        read_numbers([None, 10**400], "float32", "x")


def test_mismatch_in_a_later_chunk_names_the_datum_of_the_batch(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    sizes = [128, 2]  # Tokens per datum of the two chunks that 0.4.1 allows.
    output = {"logprobs": TENSOR}
    complete: dict[str, Any] = {"loss_fn_outputs": [output] * 128, "metrics": {}}
    short = {"logprobs": {**TENSOR, "shape": [5]}}
    training = service.create_lora_training_client("fake/model")
    for bad, message in (
        ([output, short], "loss_fn_outputs[129]['logprobs'].shape"),
        ([output], "expected 2, one for each datum of data[128:130], got 1"),
        ([output, {"logprobs": {**TENSOR, "data": [], "shape": [0]}}], "loss_fn_outputs[129]"),
    ):
        server.respond("forward_backward", server.submitted(complete))
        server.respond("forward_backward", server.submitted({**complete, "loss_fn_outputs": bad}))
        future = training.forward_backward([datum()] * sum(sizes), "cross_entropy")
        refused(lambda future=future: future.result(10), message)  # type: ignore[misc]


def array(numbers: list[float], dtype: str) -> bytes:
    return np.array(numbers, dtype).tobytes()


def message(**more: Any) -> bytes:
    sequence = {"tokens": array([1, 2], "<i4"), "logprobs": array([-1, -2], "<f4"), **more}
    return pb.SampleResponse(sequences=[pb.SampledSequence(**sequence)]).SerializeToString()


def outputs(**field: Any) -> bytes:
    logprobs = {"data": bytes(8), "offsets": array([0, 8], "<i8"), "dtype": 1, **field}
    fields = {"logprobs": pb.BatchedTensor(**logprobs)}
    record = pb.ArrayRecord(num_datums=1, fields=fields)
    return pb.ForwardBackwardOutput(loss_fn_outputs=[record]).SerializeToString()


@pytest.mark.parametrize(
    ("operation", "content", "text"),
    [
        ("asample", message(logprobs=array([-1], "<f4")), "sequences[0].logprobs: expected 2"),
        ("asample", message(tokens=bytes(7)), "sequences[0].tokens: 7 bytes"),
        ("asample", message(tokens=array([1, -1], "<i4")), "sequences[0].tokens[1]: expected"),
        (
            "asample",
            message(topk_sampled_logprobs=pb.TopkLogprobs(length=1, k=2)),
            "sequences[0].topk_logprobs.token_ids.shape",
        ),
        ("forward_backward", outputs(dtype=99), "field 'logprobs': unknown dtype 99"),
        ("forward_backward", outputs(trailing_shape=[-1]), f"field 'logprobs'.shape: {SIZES}"),
        (
            "forward_backward",
            outputs(trailing_shape=[3]),
            "field 'logprobs'.shape: [0, 3] has 0 elements, but the data has 2",
        ),
        ("forward_backward", outputs(offsets=bytes(9)), "field 'logprobs': offsets: 9 bytes"),
    ],
)
def test_mismatched_protobuf_result_raises_with_its_path(
    operation: str, content: bytes, text: str
) -> None:
    refused(ProtobufResult(operation, content).decode, text)


def test_protobuf_metrics_are_sorted() -> None:
    names = [f"m{at}:sum" for at in range(40)]
    content = pb.ForwardBackwardOutput(metrics=dict.fromkeys(reversed(names), 1.0))
    read = ProtobufResult("forward", content.SerializeToString()).decode()
    assert isinstance(read, tinker.ForwardBackwardOutput)
    assert list(read.metrics) == sorted(names)


def test_metrics_keep_the_order_of_the_first_chunk(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    output = {"logprobs": TENSOR}
    first = {"z:sum": 1.0, "a:mean": 1.0, "m:max": 1.0}
    for count, metrics in ((128, first), (2, {"m:max": 2.0, "new:sum": 1.0, "a:mean": 1.0})):
        result = {"loss_fn_outputs": [output] * count, "metrics": metrics}
        server.respond("forward", server.submitted(result))
    training = service.create_lora_training_client("fake/model")
    combined = training.forward([datum()] * 130, "cross_entropy").result(10)
    assert list(combined.metrics) == ["z:sum", "a:mean", "m:max", "new:sum"]


LOC = ["body", "forward_backward_input", "data", 1, "loss_fn_inputs"]


@pytest.mark.parametrize("operation", ["forward", "forward_backward"])
def test_rejected_later_chunk_names_the_datum_of_the_batch(
    server: FakeServer, service: tinker.ServiceClient, operation: str
) -> None:
    training = service.create_lora_training_client("fake/model")
    detail = [{"type": "value_error", "loc": LOC, "msg": "datum 1 has no weights", "input": 1}]

    def refuse(received: Any) -> Reply:
        if len(received.body[f"{operation}_input"]["data"]) == 2:
            return Reply(422, {"detail": detail})
        return server.default_reply(received)

    server.respond_always(operation, refuse)
    run = getattr(training, operation)
    with pytest.raises(tinker.UnprocessableEntityError) as caught:
        run([datum()] * 130, "cross_entropy").result(10)
    assert "data.129.loss_fn_inputs: datum 129 has no weights" in str(caught.value)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["detail"][0]["loc"][3] == 129


def test_failed_later_chunk_names_the_datum_of_the_batch(
    server: FakeServer, service: tinker.ServiceClient
) -> None:
    failed = {"error": "data[1].loss_fn_inputs['weights']: no", "category": "user"}
    training = service.create_lora_training_client("fake/model")

    def submit(received: Any) -> Reply:
        late = len(received.body["forward_input"]["data"]) == 2
        return server.submitted(failed) if late else server.default_reply(received)

    def loss(data: Any, logprobs: Any) -> Any:
        return 0.0, logprobs, {}

    server.respond_always("forward", submit)
    for future in (
        training.forward([datum()] * 130, "cross_entropy"),
        training.forward_backward_custom([datum()] * 130, loss, arrays="numpy"),
    ):
        with pytest.raises(tinker.RequestFailedError, match=r"data\[129\]\.loss_fn_inputs"):
            future.result(10)


@pytest.mark.parametrize("request_id", [None, ["a"], {"id": 1}, True, 1.5])
def test_request_id_that_is_neither_text_nor_an_integer_raises(
    service: tinker.ServiceClient, server: FakeServer, request_id: object
) -> None:
    for operation in ("asample", "optim_step"):
        server.respond(operation, Reply(200, {"request_id": request_id}))
    training = service.create_lora_training_client("fake/model")
    sampled = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
    for future in (sampled, training.optim_step(tinker.AdamParams())):
        with pytest.raises(tinker.APIResponseValidationError, match="request_id: expected"):
            future.result(10)
