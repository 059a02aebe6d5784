"""Any response results in a value or a typed error, in bounded memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT
from tinker_ext.testing import FakeServer, FaultServer, Reply, SimulatedTime, faults, make_client
from tinker_ext.transport.json_decoding import decode

if TYPE_CHECKING:
    from collections.abc import Callable

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["9" * 400, "\ud800", "2026-13-99T99:99:99Z", "tinker://", "int64", "1e999"])
)
NAMES = st.sampled_from(
    [
        *("session_id", "sampling_session_id", "request_id", "model_id", "model_data", "type"),
        *("sequences", "tokens", "logprobs", "prompt_logprobs", "stop_reason", "metrics", "error"),
        *("loss_fn_outputs", "data", "dtype", "shape", "category", "queue_state", "status"),
        *("training_runs", "checkpoints", "cursor", "time", "expires", "supported_models"),
        *("last_request_time", "lora_rank", "is_lora", "base_model", "response_payload_size"),
        *("training_run_id", "model_owner", "checkpoint_id", "checkpoint_type", "tinker_path"),
    ]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)
BODIES = JSON.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=200)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-should-retry", "content-type", "expires"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
    | st.sampled_from(["inf", "nan", "-1", "1e9", "9" * 500, "Fri, 99 Foo 9999 99:99:99 GMT"]),
    max_size=3,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 400, 402, 404, 408, 410, 418, 429, 500, 599])


def _all(service: tinker.ServiceClient) -> list[Callable[[], Any]]:
    training = service.create_lora_training_client("fake/model")
    sampler = service.create_sampling_client(base_model="fake/model")
    rest = service.create_rest_client()
    return [
        service.get_server_capabilities,
        lambda: service.create_sampling_client(base_model="fake/model"),
        lambda: service.create_lora_training_client("fake/model"),
        lambda: service.create_training_client_from_state("tinker://run-1/weights/a"),
        training.get_info,
        lambda: training.forward_backward([DATUM], "cross_entropy").result(),
        lambda: training.optim_step(tinker.AdamParams()).result(),
        lambda: training.save_state("a").result(),
        lambda: training.load_state("tinker://run-1/weights/a").result(),
        lambda: training.save_weights_for_sampler("a").result(),
        training.save_weights_and_get_sampling_client,
        lambda: sampler.sample(PROMPT, 1, PARAMS).result(),
        lambda: sampler.compute_logprobs(PROMPT).result(),
        lambda: rest.get_training_run("run-1").result(),
        lambda: rest.list_training_runs().result(),
        lambda: rest.list_checkpoints("run-1").result(),
        lambda: rest.get_checkpoint_archive_url("run-1", "weights/a").result(),
    ]


@RELAXED
@given(st.lists(st.builds(Reply, STATUSES, BODIES, HEADERS), min_size=1, max_size=5), st.data())
def test_any_response_results_in_a_value_or_a_typed_error(
    replies: list[Reply], data: st.DataObject
) -> None:
    server, simulated = FakeServer(), SimulatedTime()
    with make_client(server, clock=simulated.clock, future_timeout=600) as service:
        calls = _all(service)
        call = data.draw(st.sampled_from(calls))
        for operation in server_operations(server, call):
            server.respond(operation, *replies)
        try:
            repr(call())
        except tinker.TinkerError as error:
            _check_size(error)


def _check_size(error: tinker.TinkerError) -> None:
    assert len(str(error)) < 5000
    assert len(repr(error)) < 100_000


def server_operations(server: FakeServer, call: Callable[[], Any]) -> list[str]:
    """The operations that a call sends; makes the call once to record them."""
    before = len(server.received)
    call()
    return list({item.operation for item in server.received[before:]})


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 1_000_000,
        b'"' + b"x" * 2_000_000,
        b"\xff\xfe" * 1000,
        b'{"request_id": "' + b"\\ud800" * 10 + b'"}',
        b'{"request_id": ' + b"1" * 5000 + b"}",
        b'{"metrics": {"a": 1e999}}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("operation", ["optim_step", "retrieve_future", "get_server_capabilities"])
def test_malformed_body_raises_typed_error(operation: str, body: bytes) -> None:
    server, simulated = FakeServer(), SimulatedTime()
    with make_client(server, clock=simulated.clock) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond(operation, *[Reply(200, body)] * 10)
        try:
            training.optim_step(tinker.AdamParams()).result(60)
            service.get_server_capabilities()
        except tinker.TinkerError as error:
            _check_size(error)


@pytest.mark.parametrize("fault", [faults.huge(100_000_000), faults.bomb(300_000_000)])
def test_memory_stays_bounded(http_transport: str, fault: faults.Fault) -> None:
    settings = {"http_transport": http_transport, **SMALL}
    with FaultServer() as server, make_client(base_url=server.url, **settings) as service:
        service.get_server_capabilities()
        server.respond("get_server_capabilities", fault)
        tracemalloc.start()
        try:
            with pytest.raises(tinker.APIResponseValidationError, match="the body has"):
                service.get_server_capabilities()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 30_000_000


SMALL: dict[str, Any] = {"max_response_bytes": 5_000_000}


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 500_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n{}",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: sdch\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"\x00" * 200_000,
    ],
    ids=lambda head: repr(head[15:45]),
)
def test_malformed_response_head_raises_typed_error(http_transport: str, head: bytes) -> None:
    settings = {"http_transport": http_transport, "retry_window": 10, **SMALL}
    with (
        FaultServer() as server,
        make_client(base_url=server.url, clock=SimulatedTime().clock, **settings) as service,
    ):
        server.respond_always("get_server_capabilities", faults.Fault(raw=head, ending="close"))
        started = time.monotonic()
        with pytest.raises(tinker.APIError):
            service.get_server_capabilities()
        assert time.monotonic() - started < 60


def test_lone_surrogates_are_decoded_to_encodable_text() -> None:
    assert decode(b'{"a": "x\\ud800y", "b": "\\ud83d\\ude00", "c": NaN}')["a"] == "x?y"
    assert decode(b'{"a": "\\ud800", "b": "\\ud83d\\ude00"}')["b"] == "\U0001f600"
