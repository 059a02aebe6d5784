"""A strict dialect has what its release has, and refuses the rest as that release would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from tinker_api.proto import tinker_public_pb2 as pb

if TYPE_CHECKING:
    from .conftest import Api, OpenApi

DIALECTS = ("0.4.1", "0.24", "0.25", "0.38", "any")
PROTOBUF = {"content-type": "application/x-protobuf"}


def message(api: Api, seq_id: int, *, forward_only: bool = False) -> bytes:
    """The batch of `Api.batch` as protobuf."""
    request = pb.ForwardBackwardRequest(
        model_id=api.model_id, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    for given in api.batch(seq_id)["forward_backward_input"]["data"]:
        datum = request.data.add()
        tokens = given["model_input"]["chunks"][0]["tokens"]
        datum.model_input.add().encoded_text.tokens = np.array(tokens, "<i4").tobytes()
        for name, tensor in given["loss_fn_inputs"].items():
            dtype = "<f4" if tensor["dtype"] == "float32" else "<i8"
            field = datum.loss_fn_inputs[name]
            field.dense = np.array(tensor["data"], dtype).tobytes()
            field.dtype = pb.DTYPE_FLOAT32 if dtype == "<f4" else pb.DTYPE_INT64
            field.shape.append(len(tensor["data"]))
    return request.SerializeToString()


async def computed(api: Api, body: bytes, **headers: str) -> dict[str, Any]:
    """The result, as JSON, of training data sent as protobuf."""
    sent = await api.http.post(
        "/api/v1/forward_backward", content=body, headers={**PROTOBUF, **headers}
    )
    assert sent.status_code == 200, sent.text
    return await api.result(sent.json()["request_id"])


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_training_data_comes_in_the_forms_of_the_release(
    open_api: OpenApi, dialect: str
) -> None:
    statuses = {}
    async with open_api(dialect) as api:
        api.http.event_hooks["response"].clear()  # 415 is documented nowhere
        json = {**api.batch(1), "model_id": "nobody"}
        as_json = await api.post("forward_backward", **json)
        api.model_id = "nobody"
        as_message = await api.http.post(
            "/api/v1/forward_backward", content=message(api, 1), headers=PROTOBUF
        )
        statuses = {"json": as_json.status_code, "protobuf": as_message.status_code}
    assert statuses["json"] == (415 if dialect in {"0.25", "0.38"} else 404)
    assert statuses["protobuf"] == (415 if dialect == "0.4.1" else 404)


async def test_protobuf_and_json_compute_the_same(open_api: OpenApi) -> None:
    async with open_api() as api:
        await api.new_model()
        expected = await api.forward_backward(1)
        assert await computed(api, message(api, 2)) == expected
        assert await computed(api, message(api, 3, forward_only=True)) == expected
        packed = zstandard.ZstdCompressor().compress(message(api, 4))
        assert await computed(api, packed, **{"content-encoding": "zstd"}) == expected
        assert (await api.optim_step(5, learning_rate=0.01))["metrics"]["grad_norm"] > 0


async def test_bodies_packed_in_another_way_are_refused(open_api: OpenApi) -> None:
    async with open_api() as api:
        api.http.event_hooks["response"].clear()
        for packing, content, status in (("gzip", b"x", 415), ("zstd", b"not zstd", 400)):
            headers = {**PROTOBUF, "content-encoding": packing}
            refused = await api.http.post(
                "/api/v1/forward_backward", content=content, headers=headers
            )
            assert refused.status_code == status
            assert isinstance(refused.json()["detail"], str)


async def test_results_go_out_as_protobuf_to_who_reads_it(open_api: OpenApi) -> None:
    for dialect, kind in (("0.4.1", "application/json"), ("0.24", "application/x-protobuf")):
        async with open_api(dialect) as api:
            api.session_id = ""
            await api.new_model()
            request_id = await api.submit("forward_backward", **api.batch(1))
            response = await api.http.post(
                "/api/v1/retrieve_future",
                json={"request_id": request_id},
                headers={"accept": "application/x-protobuf, application/json"},
            )
            assert response.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("operation", "body", "since"),
    [
        ("client/config", {"sdk_version": "x"}, "0.24"),
        ("client/dynamic_config", {"sdk_version": "x"}, "0.25"),
        ("weights_info", {"tinker_path": "tinker://r/weights/a"}, "0.24"),
        ("cancel_future", {"request_id": "x"}, "0.38"),
        ("copy_weights", {"source_path": "tinker://r/weights/a"}, "0.38"),
    ],
)
async def test_an_older_dialect_has_no_newer_operations(
    open_api: OpenApi, operation: str, body: dict[str, Any], since: str
) -> None:
    for dialect in DIALECTS:
        async with open_api(dialect) as api:
            response = await api.post(operation, **body)
            unknown = response.status_code == 404 and response.json() == {"detail": "Not Found"}
            assert unknown == (DIALECTS.index(dialect) < DIALECTS.index(since)), dialect


@pytest.mark.parametrize(
    ("operation", "body", "field", "since"),
    [
        (
            "optim_step",
            {"model_id": "m", "adam_params": {"weight_decay": 0}},
            "weight_decay",
            "0.24",
        ),
        ("save_weights", {"model_id": "m", "overwrite": False}, "overwrite", "0.24"),
        ("save_weights_for_sampler", {"model_id": "m", "ttl_seconds": 9}, "ttl_seconds", "0.24"),
        (
            "create_model",
            {
                "session_id": "s",
                "model_seq_id": 0,
                "base_model": "embedded/tiny",
                "lora_config": {"rank": 1},
                "optimizer_config": {"type": "adamw"},
            },
            "optimizer_config",
            "0.38",
        ),
    ],
)
async def test_an_older_dialect_refuses_newer_fields(
    open_api: OpenApi, operation: str, body: dict[str, Any], field: str, since: str
) -> None:
    for dialect in DIALECTS:
        async with open_api(dialect) as api:
            response = await api.post(operation, **body)
            refused = DIALECTS.index(dialect) < DIALECTS.index(since)
            assert response.status_code == (422 if refused else 404), (dialect, response.text)
            if refused:
                (detail,) = response.json()["detail"]
                assert (detail["type"], detail["loc"][-1]) == ("extra_forbidden", field)


async def test_what_has_no_meaning_here_says_so(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        api.http.event_hooks["response"].clear()
        refused = await api.get("auth/apikey/me")
        assert refused.status_code == 501
        assert "it has no keys" in refused.json()["detail"]


async def test_flags_are_what_clients_assume(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        flags = (await api.post("client/config", sdk_version="x")).json()
        assert flags["pjwt_auth_enabled"] is False
        assert flags["fwdbwd_max_chunk_len"] == 1024
        assert "proto_write_fwdbwd" not in flags
