"""Invalid requests are rejected with the location of each error; validation is fast."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.protocols import PROTOCOLS, specification_of
from tinker_ext.embedded.routes import HANDLERS
from tinker_ext.embedded.validation import decode

SPECIFICATION = specification_of("0.4.1")
FORWARD_BACKWARD = SPECIFICATION.operations["forward_backward"]


def body() -> dict[str, Any]:
    datum = {
        "model_input": {"chunks": [{"tokens": [1, 2]}]},
        "loss_fn_inputs": {"weights": {"data": [1.0, 2], "dtype": "float32", "shape": [2]}},
    }
    params = {"data": [datum, json.loads(json.dumps(datum))], "loss_fn": "cross_entropy"}
    return {"model_id": "m", "seq_id": 1, "forward_backward_input": params}


def second_datum(body: dict[str, Any]) -> Any:
    return body["forward_backward_input"]["data"][1]


def weights(body: dict[str, Any]) -> Any:
    return second_datum(body)["loss_fn_inputs"]["weights"]


def rejection(raw: bytes) -> list[dict[str, Any]]:
    with pytest.raises(RejectedRequestError) as caught:
        FORWARD_BACKWARD.check(decode(raw))
    assert caught.value.status == 422
    detail = caught.value.detail
    assert isinstance(detail, list)
    return detail


def test_every_operation_has_a_handler() -> None:
    operations = {protocol: specification_of(protocol).operations.keys() for protocol in PROTOCOLS}
    assert operations["any"] == HANDLERS.keys()
    assert all(ids <= HANDLERS.keys() for ids in operations.values())
    assert len(operations["0.4.1"]) == 25


def test_valid_body_is_returned_unchanged() -> None:
    assert FORWARD_BACKWARD.check(body()) == body()


DATUM = ["body", "forward_backward_input", "data", 1]
CHUNK = [*DATUM, "model_input", "chunks", 0]
WEIGHTS = [*DATUM, "loss_fn_inputs", "weights"]


@pytest.mark.parametrize(
    ("change", "location", "code"),
    [
        (lambda b: b.pop("model_id"), ["body", "model_id"], "missing"),
        (lambda b: b.update(surprise=1), ["body", "surprise"], "extra_forbidden"),
        (lambda b: b.update(seq_id="x"), ["body", "seq_id"], "int_type"),
        (lambda b: b.update(model_id=7), ["body", "model_id"], "string_type"),
        (lambda b: weights(b).update(dtype="f8"), [*WEIGHTS, "dtype"], "literal_error"),
        (lambda b: weights(b).update(data=[1, "a"]), [*WEIGHTS, "data", 1], "float_type"),
        (lambda b: weights(b).update(data=[1.5, None]), [*WEIGHTS, "data", 1], "float_type"),
        (lambda b: weights(b).update(data="a"), [*WEIGHTS, "data"], "list_type"),
        (
            lambda b: second_datum(b)["model_input"]["chunks"].__setitem__(0, {"tokens": ["q"]}),
            [*CHUNK, "tokens", 0],
            "int_type",
        ),
        (
            lambda b: second_datum(b)["model_input"]["chunks"].__setitem__(
                0, {"type": "image", "data": "", "height": 1, "width": 1, "tokens": 1}
            ),
            [*CHUNK, "format"],
            "missing",
        ),
        (
            lambda b: second_datum(b)["model_input"]["chunks"].__setitem__(0, 7),
            CHUNK,
            "dict_type",
        ),
    ],
)
def test_error_has_location_and_code(
    change: Callable[[dict[str, Any]], object], location: list[str | int], code: str
) -> None:
    invalid = body()
    change(invalid)
    detail = rejection(orjson.dumps(invalid))
    assert (detail[0]["loc"], detail[0]["type"]) == (location, code)
    assert detail[0]["msg"]


def test_all_errors_are_reported() -> None:
    invalid = body()
    del invalid["model_id"]
    invalid.update(one=1, two=2)
    fields = [error["loc"][-1] for error in rejection(orjson.dumps(invalid))]
    assert sorted(fields) == ["model_id", "one", "two"]


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b'{"model_id": NaN}'])
def test_invalid_json_is_reported(raw: bytes) -> None:
    (error,) = rejection(raw)
    assert error["type"] == "json_invalid"
    assert error["loc"][0] == "body"


def test_messages_contain_no_values() -> None:
    invalid = body()
    invalid["model_id"] = ["tml-secret"]
    assert "secret" not in json.dumps(rejection(orjson.dumps(invalid)))


def test_invalid_timestamp_is_rejected() -> None:
    event = {
        "event": "SESSION_START",
        "event_id": "1",
        "event_session_index": 0,
        "severity": "INFO",
        "timestamp": "2025-01-01T00:00:00Z",
    }
    batch = {"events": [event], "platform": "x", "sdk_version": "1", "session_id": "s"}
    operation = SPECIFICATION.operations["send_telemetry"]
    assert operation.check(batch)
    event["timestamp"] = "yesterday"
    with pytest.raises(RejectedRequestError, match="timestamp"):
        operation.check(batch)


def test_type_tag_is_optional_but_checked() -> None:
    operation = SPECIFICATION.operations["get_info"]
    assert operation.check(decode(b'{"model_id": "m"}'))
    assert operation.check(decode(b'{"model_id": "m", "type": "get_info"}'))
    with pytest.raises(RejectedRequestError) as caught:
        operation.check(decode(b'{"model_id": "m", "type": "other"}'))
    assert "get_info" in str(caught.value.detail)


@pytest.mark.parametrize(
    ("operation", "body", "location"),
    [
        (
            "optim_step",
            {"model_id": "m", "adam_params": {"weight_decay": 0.1}},
            ["adam_params", "weight_decay"],
        ),
        ("optim_step", {"model_id": "m"}, ["adam_params"]),
        ("save_weights", {"model_id": "m", "ttl_seconds": 3600}, ["ttl_seconds"]),
        ("load_weights", {"path": "p"}, ["model_id"]),
    ],
)
def test_unknown_and_missing_fields_of_a_release_are_rejected(
    operation: str, body: dict[str, Any], location: list[str]
) -> None:
    with pytest.raises(RejectedRequestError) as caught:
        SPECIFICATION.operations[operation].check(body)
    detail = caught.value.detail
    assert isinstance(detail, list)
    assert detail[0]["loc"] == ["body", *location]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"limit": 20, "offset": 0}),
        ({"limit": "7", "offset": "3", "other": "x"}, {"limit": 7, "offset": 3}),
    ],
)
def test_query_defaults_are_filled_in(query: dict[str, str], expected: dict[str, int]) -> None:
    assert SPECIFICATION.operations["list_training_runs"].query(query) == expected


@pytest.mark.parametrize("text", ["x", "", "1.5", "-1", "1_0", "9" * 30])
def test_invalid_integer_in_query_is_reported(text: str) -> None:
    with pytest.raises(RejectedRequestError) as caught:
        SPECIFICATION.operations["list_training_runs"].query({"limit": text})
    assert caught.value.status == 422
    assert "'loc': ['query', 'limit']" in str(caught.value.detail)


def test_validation_of_nine_megabytes_takes_less_than_a_second() -> None:
    """70 datums of 4096 tokens with two tensors each; measured at 10 ms in addition to parsing."""
    size = 4096
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 250_000, size)
    tensor = {"data": rng.random(size), "dtype": "float32", "shape": [size]}
    datum = {
        "model_input": {"chunks": [{"tokens": tokens}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": tokens, "dtype": "int64", "shape": [size]},
            "weights": tensor,
        },
    }
    params = {"data": [datum] * 70, "loss_fn": "cross_entropy"}
    raw = orjson.dumps(
        {"model_id": "m", "forward_backward_input": params}, option=orjson.OPT_SERIALIZE_NUMPY
    )
    assert len(raw) > 8_500_000
    started = time.perf_counter()
    orjson.loads(raw)
    parsed = time.perf_counter()
    FORWARD_BACKWARD.check(decode(raw))
    checked = time.perf_counter()
    assert checked - parsed < 1.0
    assert checked - parsed < 4 * (parsed - started) + 0.2
