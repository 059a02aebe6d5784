"""Results in both forms, JSON and protobuf, made of the numbers in a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tinker_api.proto import tinker_public_pb2 as messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codegen.documents import Json

# What every token of the scripted model costs.
LOGPROB = -0.5
TOKENS = (7, 11, 13)
SENTINEL = -99999.0


def lengths_of_json(data: Sequence[Json]) -> list[int]:
    """The number of targets of each datum of a JSON request."""
    return [len(datum["loss_fn_inputs"]["target_tokens"]["data"]) for datum in data]


def lengths_of_message(body: bytes) -> tuple[list[int], str, int]:
    """The same of a protobuf request, with its model and sequence number."""
    request = messages.ForwardBackwardRequest.FromString(body)
    lengths = []
    for datum in request.data:
        targets = datum.loss_fn_inputs["target_tokens"]
        lengths.append(int(targets.shape[0]) if targets.shape else len(targets.dense) // 8)
    return lengths, request.model_id, request.seq_id


def loss_as_json(lengths: Sequence[int]) -> Json:
    return {
        "loss_fn_output_type": "TorchLossReturn",
        "loss_fn_outputs": [
            {"logprobs": {"data": [LOGPROB] * count, "dtype": "float32", "shape": [count]}}
            for count in lengths
        ],
        "metrics": {"loss:sum": -LOGPROB * sum(lengths)},
    }


def loss_as_message(lengths: Sequence[int]) -> bytes:
    """One record of all datums, as the hosted service is known to send it."""
    output = messages.ForwardBackwardOutput(loss_fn_output_type="records:TorchLossReturn")
    output.metrics["loss:sum"] = -LOGPROB * sum(lengths)
    record = output.loss_fn_outputs.add(type_tag="TorchLossReturn", num_datums=len(lengths))
    batch = record.fields["logprobs"]
    batch.dtype = messages.DTYPE_FLOAT32
    batch.data = np.full(sum(lengths), LOGPROB, dtype="<f4").tobytes()
    batch.offsets = (4 * np.cumsum([0, *lengths], dtype="<i8")).tobytes()
    return output.SerializeToString()


def sample_as_json(asked: Json) -> Json:
    prompt = sum(len(chunk.get("tokens", ())) for chunk in asked["prompt"]["chunks"])
    sequence = {"stop_reason": "length", "tokens": list(TOKENS), "logprobs": [LOGPROB] * 3}
    answer: Json = {"type": "sample", "sequences": [sequence] * asked.get("num_samples", 1)}
    if asked.get("prompt_logprobs"):
        answer["prompt_logprobs"] = [None] + [LOGPROB] * (prompt - 1)
    if asked.get("topk_prompt_logprobs"):
        row = [[token, LOGPROB] for token in range(asked["topk_prompt_logprobs"])]
        answer["topk_prompt_logprobs"] = [None] + [row] * (prompt - 1)
    return answer


def sample_as_message(asked: Json) -> bytes:
    prompt = sum(len(chunk.get("tokens", ())) for chunk in asked["prompt"]["chunks"])
    response = messages.SampleResponse(prompt_cache_hit_tokens=1)
    for _ in range(asked.get("num_samples", 1)):
        sequence = response.sequences.add(stop_reason=messages.STOP_REASON_LENGTH)
        sequence.tokens = np.array(TOKENS, dtype="<i4").tobytes()
        sequence.logprobs = np.full(len(TOKENS), LOGPROB, dtype="<f4").tobytes()
        if asked.get("topk_sample_logprobs"):
            _fill(sequence.topk_sampled_logprobs, len(TOKENS), asked["topk_sample_logprobs"])
    if asked.get("prompt_logprobs"):
        response.prompt_logprobs = _scores(prompt, asked.get("prompt_logprobs_last_n")).tobytes()
    if asked.get("topk_prompt_logprobs"):
        _fill(response.topk_prompt_logprobs, prompt, asked["topk_prompt_logprobs"])
    if asked.get("target_prompt_logprobs"):
        shape = asked["target_prompt_logprobs"]["shape"]
        _tensor(response.target_prompt_logprobs, np.full(shape, LOGPROB, dtype="<f4"))
    if asked.get("prompt_alt_tokens_k"):
        shape = (prompt - 1, asked["prompt_alt_tokens_k"])
        _tensor(response.prompt_alt_tokens.tokens, np.zeros(shape, dtype="<i8"))
        _tensor(response.prompt_alt_tokens.logprobs, np.full(shape, LOGPROB, dtype="<f4"))
    return response.SerializeToString()


def _scores(count: int, last: int | None) -> np.ndarray[Any, np.dtype[np.float32]]:
    """NaN where nothing was scored: the first token, and all before the last ones asked for."""
    scores = np.full(count, LOGPROB, dtype="<f4")
    scores[: 1 if last is None else count - last] = np.nan
    return scores


def _fill(rows: messages.TopkLogprobs, count: int, k: int) -> None:
    tokens = np.tile(np.arange(k, dtype="<i4"), (count, 1))
    logprobs = np.full((count, k), LOGPROB, dtype="<f4")
    tokens[0], logprobs[0] = 0, SENTINEL  # the first position has no answer
    rows.token_ids, rows.logprobs = tokens.tobytes(), logprobs.tobytes()
    rows.k, rows.length = k, count


def _tensor(tensor: messages.Tensor, values: np.ndarray[Any, Any]) -> None:
    tensor.dense = values.tobytes()
    tensor.dtype = messages.DTYPE_INT64 if values.dtype.kind == "i" else messages.DTYPE_FLOAT32
    tensor.shape.extend(values.shape)
