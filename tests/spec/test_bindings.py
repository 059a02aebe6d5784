"""The behaviour of the generated code on which the hand-written layer relies."""

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
from tinker_api.api.training import forward_backward
from tinker_api.errors import UnexpectedStatus
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
    SessionSearchResponse,
    TensorData,
    TrainingRunsResponse,
    UntypedAPIFuture,
)
from tinker_api.types import UNSET


def responding(status: int, **content: Any) -> Client:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, **content))
    return Client(base_url="http://server").set_httpx_client(
        httpx.Client(base_url="http://server", transport=transport)
    )


def test_models_import_lazily_without_the_http_library() -> None:
    code = (
        "import sys, tinker_api.models as models\n"
        "assert not {'httpx', 'attrs'} & sys.modules.keys(), 'too early'\n"
        "models.Datum\n"
        "assert 'tinker_api.models.adam_params' not in sys.modules\n"
        "assert 'httpx' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_model_is_exported() -> None:
    for name in tinker_api.models.__all__:
        assert getattr(tinker_api.models, name) is not None
    assert set(tinker_api.models.__all__) <= set(dir(tinker_api.models))
    with pytest.raises(AttributeError, match="Nonsense"):
        print(tinker_api.models.Nonsense)  # type: ignore[attr-defined]  # the attribute must not exist


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_numpy_array_is_passed_through_unchanged(dtype: type[np.generic]) -> None:
    array = np.arange(3, dtype=dtype)
    data: Any = array
    tensor = TensorData(data=data, dtype="float32", shape=[3]).to_dict()
    assert tensor["data"] is array
    encoded = orjson.dumps(tensor, option=orjson.OPT_SERIALIZE_NUMPY)
    assert orjson.loads(encoded)["data"] == [0, 1, 2]


def test_lists_are_not_copied() -> None:
    numbers = [0.5] * 3
    read = TensorData.from_dict({"data": numbers, "dtype": "float32"})
    assert read.data is numbers
    assert read.shape is UNSET
    assert read.to_dict() == {"data": numbers, "dtype": "float32"}


def test_chunks_without_type_are_distinguished_by_fields() -> None:
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


def test_null_lists_and_unknown_enum_values_are_kept() -> None:
    output = ForwardBackwardOutput.from_dict({"loss_fn_outputs": None, "metrics": None})
    assert output.loss_fn_outputs is None
    assert output.loss_fn_output_type is UNSET
    assert SampledSequence.from_dict({"stop_reason": "bored", "tokens": []}).stop_reason == "bored"
    future = UntypedAPIFuture.from_dict({"request_id": "1", "future_id": 7})
    assert future.additional_properties == {"future_id": 7}


def test_malformed_union_raises_instead_of_returning_a_dict() -> None:
    """The default template of the generator would return the list of dictionaries."""
    with pytest.raises(KeyError):
        SampleResponse.from_dict({"sequences": [{"tokens": [1]}]})
    with pytest.raises(TypeError, match="sequences cannot be dict"):
        SampleResponse.from_dict({"sequences": {}})
    with pytest.raises(KeyError):
        SessionSearchResponse.from_dict({"sessions": [], "next_cursor": {}})


def test_fields_of_records_may_be_missing_or_undecoded() -> None:
    page = TrainingRunsResponse.from_dict(
        {"training_runs": [{"last_request_time": "soon"}], "cursor": {}}
    )
    assert page.training_runs is not None
    [run] = page.training_runs
    assert (run.last_request_time, run.base_model, page.cursor) == ("soon", UNSET, {})
    with pytest.raises(TypeError, match="training_runs cannot be dict"):
        TrainingRunsResponse.from_dict({"training_runs": {}})


def test_topk_logprobs_are_not_decoded() -> None:
    pairs = [None, [[7, -0.5], [8, -1.5]]]
    read = SampleResponse.from_dict({"sequences": [], "topk_prompt_logprobs": pairs})
    assert read.topk_prompt_logprobs is pairs


@pytest.mark.parametrize("status", [200, 201, 202])
def test_every_2xx_response_is_decoded(status: int) -> None:
    response = create_model.sync_detailed(
        client=responding(status, json={"request_id": "7"}),
        body=CreateModelRequest(session_id="s", model_seq_id=0, base_model="b"),
    )
    assert response.parsed is not None
    assert response.parsed.request_id == "7"


def test_error_response_has_status_headers_and_content_but_no_value() -> None:
    response = create_model.sync_detailed(
        client=responding(503, text="<html>", headers={"Retry-After": "3"}),
        body=CreateModelRequest(session_id="s", model_seq_id=0, base_model="b"),
    )
    assert (response.status_code, response.parsed, response.content) == (503, None, b"<html>")
    assert response.headers["retry-after"] == "3"


def test_result_of_retrieve_future_is_not_decoded() -> None:
    response = retrieve_future.sync_detailed(
        client=responding(200, json={"type": "try_again"}),
        body=FutureRetrieveRequest(request_id="7"),
        x_tinker_request_iteration="0",
    )
    assert response.parsed is None
    assert orjson.loads(response.content) == {"type": "try_again"}


def test_slash_of_checkpoint_id_is_not_escaped() -> None:
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200)

    http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(respond))
    client = Client(base_url="http://server").set_httpx_client(http)
    delete_checkpoint.sync_detailed("run", "weights", "00 01", client=client)
    assert seen == ["/api/v1/training_runs/run/checkpoints/weights/00%2001"]


def test_archive_redirect_is_not_followed() -> None:
    response = get_checkpoint_archive_url.sync_detailed(
        "run", "weights", "1", client=responding(302, headers={"Location": "https://store/x"})
    )
    assert response.status_code == 302
    assert response.headers["location"] == "https://store/x"


def test_simple_functions_raise_for_an_error_status() -> None:
    body = CreateModelRequest(session_id="s", model_seq_id=0, base_model="b")
    with pytest.raises(UnexpectedStatus) as caught:
        create_model.sync(client=responding(503, text="busy"), body=body)
    assert (caught.value.status_code, caught.value.content) == (503, b"busy")


def test_body_with_two_forms_is_required_and_checked() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'body'"):
        forward_backward.build_request()  # type: ignore[call-arg]  # the body is missing
    body: Any = {"model_id": "m"}
    with pytest.raises(TypeError, match=r"expected ForwardBackwardRequest \| File, got dict"):
        forward_backward.build_request(body=body)


def test_client_imports_httpx_for_the_first_request() -> None:
    code = (
        "import sys\n"
        "from tinker_api import AuthenticatedClient\n"
        "from tinker_api.api.training import forward_backward\n"
        "client = AuthenticatedClient('http://server', token='t')\n"
        "assert 'httpx' not in sys.modules\n"
        "client.get_httpx_client()\n"
        "assert 'httpx' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
