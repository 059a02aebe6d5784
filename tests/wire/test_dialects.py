"""Servers that require training data as protobuf: detected without losing a sequence number."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOBUF = "application/x-protobuf"


class ProtobufServer(FakeServer):
    """Accepts release 0.25's protocol: protobuf for training and its results, no forward."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[pb.ForwardBackwardRequest] = []
        self.refused = 0
        self._outputs: dict[str, bytes] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = request.url.path.rsplit("/", 1)[-1]
        content = await request.aread()
        if operation == "forward":
            self.refused += 1
            return httpx.Response(404, json={"detail": "Not Found"})
        if operation == "forward_backward":
            return self._train(request, content)
        if operation == "asample":
            self._outputs["proto-sample"] = _sample().SerializeToString()
            return httpx.Response(202, json={"request_id": "proto-sample"})
        if operation == "retrieve_future":
            for request_id, output in self._outputs.items():
                if request_id.encode() in content:
                    assert request.headers["accept"] == PROTOBUF
                    return httpx.Response(200, content=output, headers={"content-type": PROTOBUF})
        return await super().handle_async_request(request)

    def _train(self, request: httpx.Request, content: bytes) -> httpx.Response:
        if request.headers["content-type"] != PROTOBUF:
            self.refused += 1
            return httpx.Response(415, json={"detail": f"expected {PROTOBUF}"})
        message = pb.ForwardBackwardRequest.FromString(content)
        self.trained.append(message)
        request_id = f"proto-{len(self.trained)}"
        self._outputs[request_id] = _output(message).SerializeToString()
        return httpx.Response(202, json={"request_id": request_id})


def _output(message: pb.ForwardBackwardRequest) -> pb.ForwardBackwardOutput:
    sizes = [len(datum.loss_fn_inputs["target_tokens"].dense) // 8 for datum in message.data]
    output = pb.ForwardBackwardOutput(loss_fn_output_type="tinker:ArrayRecord")
    record = output.loss_fn_outputs.add(num_datums=len(sizes))
    field = record.fields["logprobs"]
    field.dtype = pb.DTYPE_FLOAT32
    field.data = np.arange(sum(sizes), dtype="<f4").tobytes()
    field.offsets = (np.cumsum([0, *sizes]) * 4).astype("<i8").tobytes()
    output.metrics["loss:sum"] = float(sum(sizes))
    return output


def _sample() -> pb.SampleResponse:
    message = pb.SampleResponse(prompt_logprobs=np.array([np.nan, -1], dtype="<f4").tobytes())
    message.sequences.add(
        stop_reason=pb.STOP_REASON_LENGTH,
        tokens=np.array([5, 6], dtype="<i4").tobytes(),
        logprobs=np.array([-0.5, -0.25], dtype="<f4").tobytes(),
    )
    return message


def datum(tokens: int) -> tinker.Datum:
    ids = list(range(tokens))
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(ids),
        loss_fn_inputs={"target_tokens": ids, "weights": [0.5] * tokens},
    )


def test_protobuf_server_is_detected_by_one_rejection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = ProtobufServer()
    with caplog.at_level(logging.INFO, "tinker_ext"), make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        outputs = [
            training.forward_backward([datum(3), datum(2)], "ppo", {"clip_low_threshold": 0.9})
            for _ in range(3)
        ]
        update = training.optim_step(tinker.AdamParams())
        update.result(10)
        first = outputs[0].result(10)
        for output in outputs[1:]:
            output.result(10)
        assert (service.server_protocol.training_body, service.server_protocol.forward) == (
            "protobuf",
            "operation",
        )
    assert server.refused == 1
    assert [message.seq_id for message in server.trained] == [1, 2, 3]
    assert server.calls("optim_step")[0].body["seq_id"] == 4
    message = server.trained[0]
    assert (message.loss_fn, message.loss_fn_config["clip_low_threshold"]) == ("ppo", 0.9)
    assert message.loss_fn_config_v2["clip_low_threshold"].number == 0.9
    chunk = message.data[0].model_input[0].encoded_text.tokens
    assert np.frombuffer(chunk, dtype="<i4").tolist() == [0, 1, 2]
    weights = message.data[1].loss_fn_inputs["weights"]
    assert np.frombuffer(weights.dense, dtype="<f4").tolist() == [0.5, 0.5]
    assert (weights.dtype, list(weights.shape)) == (pb.DTYPE_FLOAT32, [2])
    assert first.loss_fn_output_type == "ArrayRecord"
    assert [loss_fn_output["logprobs"].data for loss_fn_output in first.loss_fn_outputs] == [
        [0.0, 1.0, 2.0],
        [3.0, 4.0],
    ]
    assert first.metrics == {"loss:sum": 5.0}
    assert [
        record.message for record in caplog.records if "switched protocol" in record.message
    ] == [
        "forward_backward: switched protocol after an error of the server: "
        "release 0.4.1 (no client/config), training data as protobuf, a forward operation"
    ]


def test_server_without_forward_is_sent_forward_only() -> None:
    server = ProtobufServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        output = training.forward([datum(2)], "cross_entropy").result(10)
        training.forward_backward([datum(2)], "cross_entropy").result(10)
        assert (service.server_protocol.training_body, service.server_protocol.forward) == (
            "protobuf",
            "flag",
        )
    assert server.refused == 1
    assert [(item.seq_id, item.forward_only) for item in server.trained] == [(1, True), (2, False)]
    assert len(output.loss_fn_outputs) == 1


def test_samples_are_requested_as_protobuf_after_detection() -> None:
    with make_client(ProtobufServer()) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([datum(2)], "cross_entropy").result(10)
        sampler = service.create_sampling_client(base_model="fake/model")
        prompt = tinker.ModelInput.from_ints([1, 2])
        response = sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=2)).result(10)
        assert response.sequences[0].tokens == [5, 6]
        assert sampler.compute_logprobs(prompt).result(10) == [None, -1.0]


def test_required_optimizer_field_is_resent_with_same_seq_id() -> None:
    server = FakeServer()
    missing = [{"type": "missing", "loc": ["body", "optimizer"], "msg": "Field required"}]
    path = "tinker://run/weights/first"
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("load_weights", _rejection(422, {"detail": missing}))
        training.load_state(path).result(10)
        training.load_state(path).result(10)
    bodies = [call.body for call in server.calls("load_weights")]
    assert [body["seq_id"] for body in bodies] == [1, 1, 2]
    assert [body.get("optimizer") for body in bodies] == [None, True, True]


def test_missing_model_is_not_taken_for_a_missing_operation() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("forward", *[_rejection(404, {"detail": "model x was not found"})])
        with pytest.raises(tinker.SessionLostError, match="model x") as caught:
            training.forward([datum(2)], "cross_entropy").result(10)
        assert isinstance(caught.value.__cause__, tinker.NotFoundError)
        training.forward([datum(2)], "cross_entropy").result(10)
    assert [call.body["seq_id"] for call in server.calls("forward")] == [1, 1]


def test_server_that_accepts_neither_encoding_raises() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("forward_backward", *[_rejection(415, {"detail": "no"})] * 5)
        with pytest.raises(tinker.APIStatusError) as caught:
            training.forward_backward([datum(2)], "cross_entropy").result(10)
    assert caught.value.status_code == 415


def _rejection(status: int, body: Any) -> Callable[..., Any]:
    from tinker_ext.testing import Reply

    return lambda _: Reply(status, body)


def test_protobuf_sample_is_decoded() -> None:
    from tinker_ext.transport.response import ProtobufResult

    message = _sample()
    message.topk_prompt_logprobs.k = 2
    message.topk_prompt_logprobs.length = 2
    message.topk_prompt_logprobs.token_ids = np.array([0, 0, 7, 0], dtype="<i4").tobytes()
    message.topk_prompt_logprobs.logprobs = np.array(
        [-99999.0, -99999.0, -0.5, -99999.0], dtype="<f4"
    ).tobytes()
    response = ProtobufResult("asample", message.SerializeToString()).decode()
    assert isinstance(response, tinker.SampleResponse)
    assert response.sequences[0] == tinker.SampledSequence(
        stop_reason="length", tokens=[5, 6], logprobs=[-0.5, -0.25]
    )
    assert response.prompt_logprobs == [None, -1.0]
    assert response.topk_prompt_logprobs == [None, [(7, -0.5)]]
    assert (response.target_prompt_logprobs, response.prompt_alt_tokens) == (None, None)
    assert (response.sequences[0].topk_logprobs, response.prompt_cache_hit_tokens) == (None, 0)
    with pytest.raises(tinker.APIResponseValidationError, match="protobuf"):
        ProtobufResult("asample", b"\xff\xff\xff").decode()


def test_protobuf_sample_fields_of_later_releases_are_decoded() -> None:
    from tinker_ext.transport.response import ProtobufResult

    message = _sample()
    message.prompt_cache_hit_tokens = 7
    top = message.sequences[0].topk_sampled_logprobs
    top.k, top.length = 1, 2
    top.token_ids = np.array([5, 6], dtype="<i4").tobytes()
    top.logprobs = np.array([-0.5, -0.25], dtype="<f4").tobytes()
    targets = message.target_prompt_logprobs
    targets.dtype = pb.DTYPE_FLOAT32
    targets.shape.extend([1, 3])
    targets.sparse_csr.values = np.array([-2.0], dtype="<f4").tobytes()
    targets.sparse_csr.crow_indices = np.array([0, 1], dtype="<i8").tobytes()
    targets.sparse_csr.col_indices = np.array([1], dtype="<i8").tobytes()
    tokens, logprobs = message.prompt_alt_tokens.tokens, message.prompt_alt_tokens.logprobs
    tokens.dtype, logprobs.dtype = pb.DTYPE_INT64, pb.DTYPE_FLOAT32
    tokens.dense = np.array([3, 4], dtype="<i8").tobytes()
    logprobs.dense = np.array([-1, -2], dtype="<f4").tobytes()
    tokens.shape.extend([1, 2])
    logprobs.shape.extend([1, 2])
    response = ProtobufResult("asample", message.SerializeToString()).decode()
    assert isinstance(response, tinker.SampleResponse)
    assert response.prompt_cache_hit_tokens == 7
    assert response.sequences[0].topk_logprobs == [[(5, -0.5)], [(6, -0.25)]]
    assert response.target_prompt_logprobs is not None
    assert response.target_prompt_logprobs.tolist() == [[0, -2, 0]]
    assert response.prompt_alt_tokens is not None
    assert response.prompt_alt_tokens.tokens.tolist() == [[3, 4]]
    assert response.prompt_alt_tokens.logprobs.tolist() == [[-1, -2]]
    targets.sparse_csr.col_indices = np.array([9], dtype="<i8").tobytes()
    with pytest.raises(tinker.APIResponseValidationError, match="column"):
        ProtobufResult("asample", message.SerializeToString()).decode()


def test_images_of_training_data_are_sent_in_both_protocols() -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00\xff"
    image = tinker.ImageChunk(
        data=picture, format="png", height=4, width=6, tokens=3, expected_tokens=3
    )
    text = tinker.EncodedTextChunk(tokens=[5, 6])
    datum = tinker.Datum(
        model_input=tinker.ModelInput(chunks=[text, image, text]),
        loss_fn_inputs={"target_tokens": [6, 0, 0, 0, 5, 6, 7], "weights": [0, 0, 0, 0, 0, 1, 1]},
    )
    assert datum.model_input.length == 7
    json_server, protobuf_server = FakeServer(), ProtobufServer()
    for server in (json_server, protobuf_server):
        with make_client(server) as service:
            training = service.create_lora_training_client("fake/model")
            training.forward_backward([datum], "cross_entropy").result(10)
    [call] = json_server.calls("forward_backward")
    [sent] = call.body["forward_backward_input"]["data"]
    assert sent["model_input"]["chunks"] == [
        {"type": "encoded_text", "tokens": [5, 6]},
        {
            "type": "image",
            "data": base64.b64encode(picture).decode(),
            "format": "png",
            "height": 4,
            "width": 6,
            "tokens": 3,
        },
        {"type": "encoded_text", "tokens": [5, 6]},
    ]
    [message] = protobuf_server.trained
    [sent_datum] = message.data
    kinds = [chunk.WhichOneof("chunk") for chunk in sent_datum.model_input]
    assert kinds == ["encoded_text", "image", "encoded_text"]
    sent_image = sent_datum.model_input[1].image
    assert (sent_image.data, sent_image.format) == (picture, "png")
    assert sent_image.expected_tokens == 3


def test_image_pointer_can_not_be_encoded_as_protobuf() -> None:
    from tinker_ext.transport.protobuf import encode_data

    pointer = tinker.ImageAssetPointerChunk(format="png", location="x", height=1, width=1, tokens=1)
    datum = tinker.Datum(
        model_input=tinker.ModelInput(chunks=[pointer]), loss_fn_inputs={"target_tokens": [1]}
    )
    with pytest.raises(tinker.InvalidInputError, match=r"data\[0\].model_input.chunks\[0\]"):
        encode_data([datum], "cross_entropy", None)
