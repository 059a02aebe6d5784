"""The properties of a server protocol; `test_vectors` tests how it is negotiated."""

from __future__ import annotations

import copy
import pickle

import pytest
from attrs import evolve

from tinker_ext.protocol.flags import DynamicFlags, Flags, at_least
from tinker_ext.protocol.server_protocol import (
    BASELINE,
    ServerProtocol,
    from_client_config,
    learn_from_error,
)

FLAG = ServerProtocol(
    training_body="protobuf", forward="flag", missing_operations=frozenset({"forward"})
)


def test_protocol_is_described_in_one_line() -> None:
    assert str(BASELINE) == (
        "release 0.4.1 (no client/config), training data as json, a forward operation"
    )
    assert str(FLAG) == (
        "release 0.4.1 (no client/config), training data as protobuf, forward as a flag, "
        "without forward"
    )
    negotiated = from_client_config(
        {"custom_loss_server_side": True, "pjwt_auth_enabled": True}, {}
    )
    assert str(evolve(negotiated, rejected_fields=frozenset({"create_model.type"}))) == (
        "release 0.38.0, training data as protobuf, forward as a flag, keys exchanged for tokens, "
        "rejecting create_model.type"
    )


def test_results_are_protobuf_if_training_data_is() -> None:
    assert (BASELINE.protobuf_results, FLAG.protobuf_results) == (False, True)


def test_fields_and_operations_of_a_protocol() -> None:
    protocol = evolve(
        BASELINE,
        required_fields=frozenset({"load_weights.optimizer"}),
        rejected_fields=frozenset({"create_model.type", "create_model.tags", "asample.type"}),
        missing_operations=frozenset({"cancel_future"}),
    )
    assert protocol.sends("load_weights", "optimizer")
    assert not protocol.sends("load_weights", "path")
    assert protocol.rejected_fields_of("create_model") == {"type", "tags"}
    assert BASELINE.rejected_fields_of("create_model") == frozenset()
    assert not protocol.supports("cancel_future")
    assert protocol.supports("asample")


def test_missing_operation_does_not_change_requests() -> None:
    assert BASELINE.same_requests_as(
        evolve(BASELINE, missing_operations=frozenset({"cancel_future"}))
    )
    assert not BASELINE.same_requests_as(FLAG)


def test_finish_session_is_sent_since_0_32_unless_missing() -> None:
    recent = from_client_config({"custom_loss_server_side": False}, {})
    assert recent.finishes_sessions
    assert not evolve(recent, missing_operations=frozenset({"finish_session"})).finishes_sessions
    assert not BASELINE.finishes_sessions


def test_flags_decide_compression_and_concurrency_of_batches() -> None:
    recent = from_client_config(
        {"proto_compress_fwdbwd": True, "parallel_fwdbwd_chunks": False}, {}
    )
    assert (recent.compresses, recent.parallel) == (True, False)
    assert (BASELINE.compresses, BASELINE.parallel) == (False, False)
    assert from_client_config({}).parallel


def test_flag_of_wrong_type_keeps_its_default() -> None:
    config = {"fwdbwd_max_chunk_len": 7, "parallel_fwdbwd_chunks": 0, "proto_compress_fwdbwd": None}
    flags = Flags.read(config)
    assert (flags.fwdbwd_max_chunk_len, flags.parallel_fwdbwd_chunks) == (7, True)
    assert flags == evolve(Flags(), fwdbwd_max_chunk_len=7)


def test_dynamic_flags_are_refreshed_at_most_every_ten_seconds() -> None:
    assert DynamicFlags.read({"refresh_interval_sec": 1}).refresh_seconds == 10.0
    assert DynamicFlags().refresh_seconds == 300.0


def test_at_least_compares_releases() -> None:
    assert at_least("0.38.0", "0.4.1")
    assert at_least("0.25.0", "0.25.0")
    assert not at_least("0.24.1", "0.25.0")


def test_csr_matrices_are_sent_until_rejected() -> None:
    recent = from_client_config({}, None)
    assert (recent.sparse, BASELINE.sparse) == (True, False)
    location = ["body", "forward_input", "data", 0, "loss_fn_inputs", "weights"]
    error = {"type": "extra_forbidden", "loc": [*location, "sparse_col_indices"], "msg": "x"}
    body = {"detail": [error]}
    learned = learn_from_error(recent, "forward", 422, body)
    assert learned is not None
    assert not learned.sparse
    assert learn_from_error(learned, "forward", 422, body) is None
    # A sample request can't be sent without the indices, so the caller sees the error.
    assert learn_from_error(recent, "asample", 422, body) is None


@pytest.mark.parametrize(
    ("deprecated", "current"),
    [
        ("without", "missing_operations"),
        ("refused", "rejected_forms"),
        ("side_by_side", "parallel"),
    ],
)
def test_previous_attribute_name_is_deprecated(deprecated: str, current: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{deprecated} is deprecated; use {current}"):
        assert getattr(FLAG, deprecated) == getattr(FLAG, current)


def test_unknown_attribute_raises() -> None:
    with pytest.raises(AttributeError, match="'ServerProtocol' object has no attribute 'unknown'"):
        _ = FLAG.unknown  # type: ignore[attr-defined] # the attribute does not exist
    assert copy.copy(FLAG) == pickle.loads(pickle.dumps(FLAG)) == FLAG
