"""A strict server accepts the requests of its release, and rejects others as that release does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from tinker_api.proto import tinker_public_pb2 as pb

if TYPE_CHECKING:
    from .conftest import Api, OpenApi

PROTOCOLS = ("0.4.1", "0.24", "0.25", "0.38", "any")
PROTOBUF = {"content-type": "application/x-protobuf"}


def message(api: Api, seq_id: int, *, forward_only: bool = False) -> bytes:
    """The batch of `Api.batch` as protobuf."""
    request = pb.ForwardBackwardRequest(
        model_id=api.model_id, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    for source in api.batch(seq_id)["forward_backward_input"]["data"]:
        datum = request.data.add()
        tokens = source["model_input"]["chunks"][0]["tokens"]
        datum.model_input.add().encoded_text.tokens = np.array(tokens, "<i4").tobytes()
        for name, tensor in source["loss_fn_inputs"].items():
            dtype = "<f4" if tensor["dtype"] == "float32" else "<i8"
            field = datum.loss_fn_inputs[name]
            field.dense = np.array(tensor["data"], dtype).tobytes()
            field.dtype = pb.DTYPE_FLOAT32 if dtype == "<f4" else pb.DTYPE_INT64
            field.shape.append(len(tensor["data"]))
    return request.SerializeToString()


async def submit_message(api: Api, body: bytes, **headers: str) -> dict[str, Any]:
    """Submit training data as protobuf and return the result."""
    response = await api.http.post(
        "/api/v1/forward_backward", content=body, headers={**PROTOBUF, **headers}
    )
    assert response.status_code == 200, response.text
    return await api.result(response.json()["request_id"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_training_data_content_types_per_protocol(open_api: OpenApi, protocol: str) -> None:
    statuses = {}
    async with open_api(protocol) as api:
        api.http.event_hooks["response"].clear()  # no release documents 415
        json = {**api.batch(1), "model_id": "unknown"}
        as_json = await api.post("forward_backward", **json)
        api.model_id = "unknown"
        as_protobuf = await api.http.post(
            "/api/v1/forward_backward", content=message(api, 1), headers=PROTOBUF
        )
        statuses = {"json": as_json.status_code, "protobuf": as_protobuf.status_code}
    assert statuses["json"] == (415 if protocol in {"0.25", "0.38"} else 404)
    assert statuses["protobuf"] == (415 if protocol == "0.4.1" else 404)


async def test_protobuf_and_json_requests_give_equal_results(open_api: OpenApi) -> None:
    async with open_api() as api:
        await api.new_model()
        expected = await api.forward_backward(1)
        assert await submit_message(api, message(api, 2)) == expected
        assert await submit_message(api, message(api, 3, forward_only=True)) == expected
        compressed = zstandard.ZstdCompressor().compress(message(api, 4))
        assert await submit_message(api, compressed, **{"content-encoding": "zstd"}) == expected
        assert (await api.optim_step(5, learning_rate=0.01))["metrics"]["grad_norm"] > 0


async def test_unsupported_or_corrupt_compression_is_rejected(open_api: OpenApi) -> None:
    async with open_api() as api:
        api.http.event_hooks["response"].clear()
        for encoding, content, status in (("gzip", b"x", 415), ("zstd", b"not zstd", 400)):
            headers = {**PROTOBUF, "content-encoding": encoding}
            rejected = await api.http.post(
                "/api/v1/forward_backward", content=content, headers=headers
            )
            assert rejected.status_code == status
            assert isinstance(rejected.json()["detail"], str)


async def test_accept_header_selects_protobuf_results_per_protocol(open_api: OpenApi) -> None:
    for protocol, kind in (("0.4.1", "application/json"), ("0.24", "application/x-protobuf")):
        async with open_api(protocol) as api:
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
async def test_newer_operations_return_404_in_older_protocols(
    open_api: OpenApi, operation: str, body: dict[str, Any], since: str
) -> None:
    for protocol in PROTOCOLS:
        async with open_api(protocol) as api:
            response = await api.post(operation, **body)
            is_unknown = response.status_code == 404 and response.json() == {"detail": "Not Found"}
            assert is_unknown == (PROTOCOLS.index(protocol) < PROTOCOLS.index(since)), protocol


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
async def test_newer_fields_return_422_in_older_protocols(
    open_api: OpenApi, operation: str, body: dict[str, Any], field: str, since: str
) -> None:
    for protocol in PROTOCOLS:
        async with open_api(protocol) as api:
            response = await api.post(operation, **body)
            rejected = PROTOCOLS.index(protocol) < PROTOCOLS.index(since)
            assert response.status_code == (422 if rejected else 404), (protocol, response.text)
            if rejected:
                (detail,) = response.json()["detail"]
                assert (detail["type"], detail["loc"][-1]) == ("extra_forbidden", field)


async def test_unsupported_operation_returns_404_with_reason(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        api.http.event_hooks["response"].clear()
        rejected = await api.get("auth/apikey/me")
        assert rejected.status_code == 404, "official clients repeat requests after any 5xx"
        assert rejected.headers["x-should-retry"] == "false"
        assert "it has no keys" in rejected.json()["detail"]


async def test_client_config_contains_default_flags(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        flags = (await api.post("client/config", sdk_version="x")).json()
        assert flags["pjwt_auth_enabled"] is False
        assert flags["fwdbwd_max_chunk_len"] == 1024
        assert "proto_write_fwdbwd" not in flags
