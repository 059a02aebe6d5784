"""Recorded samples, and training data of stable_reinforce that refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext.embedded.engine.trainer import TrainingDatum
from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.arrays import LossInput
from tinker_ext.embedded.execution.provenance import (
    LIFETIME_SECONDS,
    DatumSpans,
    RecordedSequence,
    SequenceRecords,
    Span,
    with_recorded_logprobs,
)

if TYPE_CHECKING:
    from tests.unit.embedded.conftest import Api, OpenApi

PROMPT, SAMPLED = [1, 2, 3], [4, 5]
LOGPROBS = np.array([-0.5, -0.25], np.float32)


def recorded(session_id: str = "session") -> RecordedSequence:
    return RecordedSequence(session_id, np.array(PROMPT), np.array(SAMPLED), LOGPROBS)


def test_record_belongs_to_its_session() -> None:
    records = SequenceRecords()
    records.add("a", recorded())
    assert records.get("a", "session") is not None
    assert records.get("a", "another") is None
    assert records.get("b", "session") is None


def test_record_expires_one_day_after_its_last_use() -> None:
    now = 0.0
    records = SequenceRecords(clock=lambda: now)
    records.add("a", recorded())
    now = LIFETIME_SECONDS - 1
    assert records.get("a", "session") is not None
    now = 2 * LIFETIME_SECONDS - 2
    assert records.get("a", "session") is not None
    now = 4 * LIFETIME_SECONDS
    assert records.get("a", "session") is None


def test_least_recently_used_records_are_dropped_beyond_the_limit() -> None:
    records = SequenceRecords(max_tokens=2 * recorded().size)
    for name in ("a", "b"):
        records.add(name, recorded())
    records.get("a", "session")
    records.add("c", recorded())
    present = [name for name in ("a", "b", "c") if records.get(name, "session")]
    assert present == ["a", "c"]


def prompt_span(offset: int, length: int) -> Span:
    return Span("a", offset, length, sampled=False)


def sampled_span(offset: int, length: int) -> Span:
    return Span("a", offset, length, sampled=True)


INPUT_SPANS = (prompt_span(0, 3), sampled_span(0, 1))
TARGET_SPANS = (prompt_span(1, 2), sampled_span(0, 2))


def resolve(spans: DatumSpans | None, **inputs: Any) -> LossInput | UserFailureError:
    sequence = np.array([*PROMPT, *SAMPLED])
    datum = TrainingDatum(
        sequence[:-1], {"target_tokens": sequence[1:], "advantages": np.ones(4), **inputs}
    )
    records = SequenceRecords()
    records.add("a", recorded())
    loss_input = LossInput([datum], "stable_reinforce", None, [spans])
    return with_recorded_logprobs(loss_input, records, "session")


def test_recorded_logprobs_replace_those_of_the_request() -> None:
    resolved = resolve(DatumSpans(INPUT_SPANS, TARGET_SPANS), logprobs=np.ones(4))
    assert isinstance(resolved, LossInput)
    inputs = resolved.data[0].inputs
    assert inputs["logprobs"].tolist() == [0.0, 0.0, -0.5, -0.25]
    assert inputs["weights"].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_other_losses_ignore_provenance() -> None:
    loss_input = LossInput([], "ppo", None, [])
    assert with_recorded_logprobs(loss_input, SequenceRecords(), "session") is loss_input


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ((prompt_span(1, 2), sampled_span(0, 1)), "the spans cover 3 of 4 tokens"),
        ((prompt_span(1, 2), sampled_span(1, 2)), "[1]: covers 1 to 3, but 'a' has 2 sampled"),
        ((prompt_span(2, 2), sampled_span(0, 2)), "[0]: covers 2 to 4, but 'a' has 3 prompt"),
        ((prompt_span(-1, 2), sampled_span(0, 2)), "[0]: covers -1 to 1"),
        ((prompt_span(0, 2), sampled_span(0, 2)), "[0]: the tokens differ from those at 0 to 2"),
        ((Span("b", 0, 4, sampled=True),), "[0]: this session has no recorded sequence 'b'"),
    ],
)
def test_wrong_provenance_is_explained(targets: tuple[Span, ...], message: str) -> None:
    error = resolve(DatumSpans(INPUT_SPANS, targets))
    assert isinstance(error, UserFailureError)
    assert str(error).startswith("data[0].loss_fn_input_spans")
    assert message in str(error)


def test_datum_without_provenance_or_with_several_targets_is_rejected() -> None:
    assert "data[0]: stable_reinforce needs the provenance" in str(resolve(None))
    spans = DatumSpans(INPUT_SPANS, TARGET_SPANS)
    error = resolve(spans, target_tokens=np.zeros((4, 2), np.int64))
    assert "data[0].loss_fn_inputs['target_tokens']: must be a list" in str(error)


def numbers(tensor: pb.Tensor, values: list[Any], dtype: str) -> None:
    tensor.dense = np.array(values, dtype).tobytes()
    tensor.dtype = pb.DTYPE_INT64 if dtype == "<i8" else pb.DTYPE_FLOAT32
    tensor.shape.append(len(values))


def loss_request(
    api: Api, seq_id: int, sequence_id: str, prompt: list[int], tokens: list[int]
) -> bytes:
    message = pb.ForwardBackwardRequest(
        model_id=api.model_id, seq_id=seq_id, loss_fn="stable_reinforce"
    )
    datum, sequence = message.data.add(), [*prompt, *tokens]
    datum.model_input.add().encoded_text.tokens = np.array(sequence[:-1], "<i4").tobytes()
    numbers(datum.loss_fn_inputs["target_tokens"], sequence[1:], "<i8")
    numbers(datum.loss_fn_inputs["advantages"], [1.0] * (len(sequence) - 1), "<f4")
    for spans, offset, count in (
        (datum.model_input_spans, 0, len(tokens) - 1),
        (datum.loss_fn_input_spans, 1, len(tokens)),
    ):
        prompt_message = spans.add().prompt_tokens
        prompt_message.sequence_id, prompt_message.offset = sequence_id, offset
        prompt_message.length = len(prompt) - offset
        sampled = spans.add().sampled_tokens
        sampled.sequence_id, sampled.length = sequence_id, count
    return message.SerializeToString()


async def test_samples_can_be_trained_on_if_they_were_recorded(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        await api.new_model()
        saved = await api.done(
            "save_weights_for_sampler", model_id=api.model_id, seq_id=1, sampling_session_seq_id=0
        )
        seq_id = 1
        for record in (True, False):
            body = api.sample_body(
                sampling_session_id=saved["sampling_session_id"],
                seq_id=seq_id,
                record_stability_info=record,
            )
            submitted = (await api.post("asample", **body)).json()
            tokens = (await api.result(submitted["request_id"]))["sequences"][0]["tokens"]
            seq_id += 1
            prompt = body["prompt"]["chunks"][0]["tokens"]
            (sequence_id,) = submitted["sample_sequence_ids"]
            response = await api.http.post(
                "/api/v1/forward_backward",
                content=loss_request(api, seq_id, sequence_id, prompt, tokens),
                headers={"content-type": "application/x-protobuf"},
            )
            result = await api.result(response.json()["request_id"])
            if record:
                assert result["metrics"]["sampled:sum"] == len(tokens)
                assert result["metrics"]["kl:sum"] == pytest.approx(0.0, abs=1e-6)
            else:
                assert f"no recorded sequence {sequence_id!r}" in result["error"]


async def test_sample_without_a_session_can_not_be_recorded(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        body = api.sample_body(base_model="embedded/tiny", record_stability_info=True)
        failure = await api.done("asample", **body)
        assert failure["error"].startswith("record_stability_info: only samples of a sampling")
