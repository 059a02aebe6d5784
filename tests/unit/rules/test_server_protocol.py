"""The properties of a server protocol; `test_vectors` tests how it is negotiated."""

from __future__ import annotations

import copy
import pickle

import pytest
from attrs import evolve

from tinker_ext.protocol.server_protocol import (
    BASELINE,
    DynamicFlags,
    Flags,
    ServerProtocol,
    at_least,
    from_client_config,
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
    assumed = evolve(BASELINE, forward="flag")
    accepted = evolve(assumed, accepted=frozenset({"forward"}))
    assert (assumed.protobuf_results, accepted.protobuf_results) == (False, True)


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


def test_forms_of_operations() -> None:
    assert [BASELINE.form_of(name) for name in ("forward", "forward_backward", "asample")] == [
        "json",
        "json",
        None,
    ]
    assert (FLAG.form_of("forward"), FLAG.form_of("forward_backward")) == ("protobuf", "protobuf")
    assert BASELINE.with_form("forward", "protobuf").forward == "flag"
    assert BASELINE.with_form("forward_backward", "protobuf").training_body == "protobuf"
    assert FLAG.with_form("forward", "json").forward == "operation"
    assert FLAG.with_form("asample", None) is FLAG


def test_images_of_operations() -> None:
    other = evolve(BASELINE, other_images=frozenset({"asample"}))
    assert (other.images_of("asample"), other.images_of("forward")) == ("expected_tokens", "sizes")
    recent = evolve(other, images="expected_tokens")
    assert recent.images_of("asample") == "sizes"
    assert (BASELINE.sample_images, other.sample_images) == ("sizes", "expected_tokens")


def test_polls_let_servers_since_0_24_1_announce_sizes() -> None:
    assert (BASELINE.announces_sizes, from_client_config({}).announces_sizes) == (False, True)


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
    assert (recent.sparse_in("forward"), BASELINE.sparse_in("forward")) == (True, False)
    dense = evolve(recent, rejected_fields=frozenset({"forward.sparse_col_indices"}))
    assert (dense.sparse_in("forward"), dense.sparse_in("forward_backward")) == (False, True)


@pytest.mark.parametrize(
    ("deprecated", "current"),
    [
        ("without", "missing_operations"),
        ("creates_by_load", "loads_into_new_model"),
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
