"""What a dialect says of itself; `test_vectors` has what is learnt, and when."""

from __future__ import annotations

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


def test_a_dialect_reads_as_a_sentence() -> None:
    assert str(BASELINE) == (
        "release 0.4.1 (no client/config), training data as json, a forward operation"
    )
    assert str(FLAG) == (
        "release 0.4.1 (no client/config), training data as protobuf, forward as a flag, "
        "without forward"
    )
    told = from_client_config({"custom_loss_server_side": True, "pjwt_auth_enabled": True}, {})
    assert str(evolve(told, rejected_fields=frozenset({"create_model.type"}))) == (
        "release 0.38.0, training data as protobuf, forward as a flag, keys exchanged for tokens, "
        "not told create_model.type"
    )


def test_results_come_as_training_data_go() -> None:
    assert (BASELINE.protobuf_results, FLAG.protobuf_results) == (False, True)


def test_what_an_operation_is_told() -> None:
    dialect = evolve(
        BASELINE,
        required_fields=frozenset({"load_weights.optimizer"}),
        rejected_fields=frozenset({"create_model.type", "create_model.tags", "asample.type"}),
        missing_operations=frozenset({"cancel_future"}),
    )
    assert dialect.sends("load_weights", "optimizer")
    assert not dialect.sends("load_weights", "path")
    assert dialect.rejected_fields_of("create_model") == {"type", "tags"}
    assert BASELINE.rejected_fields_of("create_model") == frozenset()
    assert not dialect.supports("cancel_future")
    assert dialect.supports("asample")


def test_requests_that_look_the_same() -> None:
    assert BASELINE.same_requests_as(
        evolve(BASELINE, missing_operations=frozenset({"cancel_future"}))
    )
    assert not BASELINE.same_requests_as(FLAG)


def test_the_end_of_a_session_is_told_to_whom_it_interests() -> None:
    late = from_client_config({"custom_loss_server_side": False}, {})
    assert late.finishes_sessions
    assert not evolve(late, missing_operations=frozenset({"finish_session"})).finishes_sessions
    assert not BASELINE.finishes_sessions


def test_how_batches_go_is_a_flag() -> None:
    late = from_client_config({"proto_compress_fwdbwd": True, "parallel_fwdbwd_chunks": False}, {})
    assert (late.compresses, late.parallel) == (True, False)
    assert (BASELINE.compresses, BASELINE.parallel) == (False, False)
    assert from_client_config({}).parallel


def test_flags_keep_their_defaults_where_a_server_makes_no_sense() -> None:
    said = {"fwdbwd_max_chunk_len": 7, "parallel_fwdbwd_chunks": 0, "proto_compress_fwdbwd": None}
    flags = Flags.read(said)
    assert (flags.fwdbwd_max_chunk_len, flags.parallel_fwdbwd_chunks) == (7, True)
    assert flags == evolve(Flags(), fwdbwd_max_chunk_len=7)


def test_dynamic_flags_are_not_asked_for_all_the_time() -> None:
    assert DynamicFlags.read({"refresh_interval_sec": 1}).refresh_seconds == 10.0
    assert DynamicFlags().refresh_seconds == 300.0


def test_releases_have_an_order() -> None:
    assert at_least("0.38.0", "0.4.1")
    assert at_least("0.25.0", "0.25.0")
    assert not at_least("0.24.1", "0.25.0")


def test_matrices_go_in_compressed_rows_until_they_are_refused() -> None:
    late = from_client_config({}, None)
    assert (late.sparse, BASELINE.sparse) == (True, False)
    place = ["body", "forward_input", "data", 0, "loss_fn_inputs", "weights"]
    fault = {"type": "extra_forbidden", "loc": [*place, "sparse_col_indices"], "msg": "x"}
    body = {"detail": [fault]}
    taught = learn_from_error(late, "forward", 422, body)
    assert taught is not None
    assert not taught.sparse
    assert learn_from_error(taught, "forward", 422, body) is None
    # What is asked of a sample in rows is not asked without them: the refusal is the caller's.
    assert learn_from_error(late, "asample", 422, body) is None
