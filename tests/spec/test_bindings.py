"""What the generated code does with values: the points the hand-written layer relies on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import tinker_api.models
from tinker_api import Client
from tinker_api.api.checkpoints import delete_checkpoint, get_checkpoint_archive_url
from tinker_api.api.futures import retrieve_future
from tinker_api.api.models import create_model
from tinker_api.models import (
    CreateModelRequest,
    EncodedTextChunk,
    ForwardBackwardOutput,
    FutureRetrieveRequest,
    ImageAssetPointerChunk,
    ImageChunk,
    ModelInput,
    SampledSequence,
    SampleResponse,
    TensorData,
    TrainingRunsResponse,
    UntypedAPIFuture,
)
from tinker_api.types import UNSET


def answering(status: int, **answer: Any) -> Client:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, **answer))
    return Client(base_url="http://server").set_httpx_client(
        httpx.Client(base_url="http://server", transport=transport)
    )


def test_models_come_without_http_library_and_one_by_one() -> None:
    code = (
        "import sys, tinker_api.models as models\n"
        "assert not {'httpx', 'attrs'} & sys.modules.keys(), 'too early'\n"
        "models.Datum\n"
        "assert 'tinker_api.models.adam_params' not in sys.modules\n"
        "assert 'httpx' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_model_can_be_had() -> None:
    for name in tinker_api.models.__all__:
        assert getattr(tinker_api.models, name) is not None
    assert set(tinker_api.models.__all__) <= set(dir(tinker_api.models))
    with pytest.raises(AttributeError, match="Nonsense"):
        print(tinker_api.models.Nonsense)  # type: ignore[attr-defined]  # that is the point


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_numpy_array_goes_through_as_it_is(dtype: type[np.generic]) -> None:
    array = np.arange(3, dtype=dtype)
    data: Any = array
    made = TensorData(data=data, dtype="float32", shape=[3]).to_dict()
    assert made["data"] is array
    encoded = orjson.dumps(made, option=orjson.OPT_SERIALIZE_NUMPY)
    assert orjson.loads(encoded)["data"] == [0, 1, 2]


def test_lists_are_not_copied() -> None:
    numbers = [0.5] * 3
    read = TensorData.from_dict({"data": numbers, "dtype": "float32"})
    assert read.data is numbers
    assert read.shape is UNSET
    assert read.to_dict() == {"data": numbers, "dtype": "float32"}


def test_chunks_are_told_apart_without_their_type() -> None:
    image = {"format": "png", "height": 1, "width": 1, "tokens": 1}
    chunks = ModelInput.from_dict(
        {"chunks": [{"tokens": [1]}, {**image, "data": "aGk="}, {**image, "location": "x"}]}
    ).chunks
    assert [type(chunk) for chunk in chunks] == [
        EncodedTextChunk,
        ImageChunk,
        ImageAssetPointerChunk,
    ]


def test_requests_send_their_type_and_defaults() -> None:
    request = CreateModelRequest(session_id="s", model_seq_id=0, base_model="b", lora_config=None)
    assert request.to_dict() == {
        "session_id": "s",
        "model_seq_id": 0,
        "base_model": "b",
        "lora_config": None,
        "type": "create_model",
    }


def test_null_lists_and_unknown_words_survive() -> None:
    output = ForwardBackwardOutput.from_dict({"loss_fn_outputs": None, "metrics": None})
    assert output.loss_fn_outputs is None
    assert output.loss_fn_output_type is UNSET
    assert SampledSequence.from_dict({"stop_reason": "bored", "tokens": []}).stop_reason == "bored"
    future = UntypedAPIFuture.from_dict({"request_id": "1", "future_id": 7})
    assert future.additional_properties == {"future_id": 7}


def test_what_cannot_be_read_is_an_error_and_not_a_dictionary() -> None:
    """The generator's own template would hand on the list of dictionaries."""
    with pytest.raises(KeyError):
        SampleResponse.from_dict({"sequences": [{"tokens": [1]}]})
    with pytest.raises(TypeError, match="sequences cannot be dict"):
        SampleResponse.from_dict({"sequences": {}})
    with pytest.raises(KeyError):
        TrainingRunsResponse.from_dict({"training_runs": [{}], "cursor": {}})


def test_top_k_logprobs_are_handed_on_unread() -> None:
    pairs = [None, [[7, -0.5], [8, -1.5]]]
    read = SampleResponse.from_dict({"sequences": [], "topk_prompt_logprobs": pairs})
    assert read.topk_prompt_logprobs is pairs


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_read(status: int) -> None:
    answer = create_model.sync_detailed(
        client=answering(status, json={"request_id": "7"}),
        body=CreateModelRequest(session_id="s", model_seq_id=0, base_model="b"),
    )
    assert answer.parsed is not None
    assert answer.parsed.request_id == "7"


def test_a_failure_gives_status_headers_and_content_but_no_value() -> None:
    answer = create_model.sync_detailed(
        client=answering(503, text="<html>", headers={"Retry-After": "3"}),
        body=CreateModelRequest(session_id="s", model_seq_id=0, base_model="b"),
    )
    assert (answer.status_code, answer.parsed, answer.content) == (503, None, b"<html>")
    assert answer.headers["retry-after"] == "3"


def test_a_result_is_handed_on_unread() -> None:
    answer = retrieve_future.sync_detailed(
        client=answering(200, json={"type": "try_again"}),
        body=FutureRetrieveRequest(request_id="7"),
        x_tinker_request_iteration="0",
    )
    assert answer.parsed is None
    assert orjson.loads(answer.content) == {"type": "try_again"}


def test_a_checkpoint_id_keeps_its_slash() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200)

    http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer))
    client = Client(base_url="http://server").set_httpx_client(http)
    delete_checkpoint.sync_detailed("run", "weights", "00 01", client=client)
    assert seen == ["/api/v1/training_runs/run/checkpoints/weights/00%2001"]


def test_the_archive_is_a_redirect_that_is_not_followed() -> None:
    answer = get_checkpoint_archive_url.sync_detailed(
        "run", "weights", "1", client=answering(302, headers={"Location": "https://store/x"})
    )
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://store/x"
