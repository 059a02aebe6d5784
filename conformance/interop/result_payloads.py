"""Results that match a request, as JSON and as protobuf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tinker_api.proto import tinker_public_pb2 as messages

from codegen.documents import Json

# The log probability of every token.
LOGPROB = -0.5
TOKENS = (7, 11, 13)
SENTINEL = -99999.0


def lengths_of_json(data: Sequence[Json]) -> list[int]:
    """The number of targets of each datum of a JSON request."""
    return [len(datum["loss_fn_inputs"]["target_tokens"]["data"]) for datum in data]


def lengths_of_message(body: bytes) -> tuple[list[int], str, int]:
    """The same for a protobuf request, with its model id and sequence number."""
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
    """One record for all datums, the form that the hosted service sends."""
    output = messages.ForwardBackwardOutput(loss_fn_output_type="records:TorchLossReturn")
    output.metrics["loss:sum"] = -LOGPROB * sum(lengths)
    record = output.loss_fn_outputs.add(type_tag="TorchLossReturn", num_datums=len(lengths))
    batch = record.fields["logprobs"]
    batch.dtype = messages.DTYPE_FLOAT32
    batch.data = np.full(sum(lengths), LOGPROB, dtype="<f4").tobytes()
    batch.offsets = (4 * np.cumsum([0, *lengths], dtype="<i8")).tobytes()
    return output.SerializeToString()


def sample_as_json(request: Json) -> Json:
    prompt = sum(len(chunk.get("tokens", ())) for chunk in request["prompt"]["chunks"])
    sequence = {"stop_reason": "length", "tokens": list(TOKENS), "logprobs": [LOGPROB] * 3}
    response: Json = {"type": "sample", "sequences": [sequence] * request.get("num_samples", 1)}
    if request.get("prompt_logprobs"):
        response["prompt_logprobs"] = [None] + [LOGPROB] * (prompt - 1)
    if request.get("topk_prompt_logprobs"):
        row = [[token, LOGPROB] for token in range(request["topk_prompt_logprobs"])]
        response["topk_prompt_logprobs"] = [None] + [row] * (prompt - 1)
    return response


def sample_as_message(request: Json) -> bytes:
    prompt = sum(len(chunk.get("tokens", ())) for chunk in request["prompt"]["chunks"])
    response = messages.SampleResponse(prompt_cache_hit_tokens=1)
    for _ in range(request.get("num_samples", 1)):
        sequence = response.sequences.add(stop_reason=messages.STOP_REASON_LENGTH)
        sequence.tokens = np.array(TOKENS, dtype="<i4").tobytes()
        sequence.logprobs = np.full(len(TOKENS), LOGPROB, dtype="<f4").tobytes()
        if request.get("topk_sample_logprobs"):
            _fill(sequence.topk_sampled_logprobs, len(TOKENS), request["topk_sample_logprobs"])
    if request.get("prompt_logprobs"):
        response.prompt_logprobs = _scores(prompt, request.get("prompt_logprobs_last_n")).tobytes()
    if request.get("topk_prompt_logprobs"):
        _fill(response.topk_prompt_logprobs, prompt, request["topk_prompt_logprobs"])
    if request.get("target_prompt_logprobs"):
        shape = request["target_prompt_logprobs"]["shape"]
        _tensor(response.target_prompt_logprobs, np.full(shape, LOGPROB, dtype="<f4"))
    if request.get("prompt_alt_tokens_k"):
        shape = (prompt - 1, request["prompt_alt_tokens_k"])
        _tensor(response.prompt_alt_tokens.tokens, np.zeros(shape, dtype="<i8"))
        _tensor(response.prompt_alt_tokens.logprobs, np.full(shape, LOGPROB, dtype="<f4"))
    return response.SerializeToString()


def _scores(count: int, last: int | None) -> np.ndarray[Any, np.dtype[np.float32]]:
    """NaN for unscored tokens: the first one, and all before the last `last` tokens."""
    scores = np.full(count, LOGPROB, dtype="<f4")
    scores[: 1 if last is None else count - last] = np.nan
    return scores


def _fill(rows: messages.TopkLogprobs, count: int, k: int) -> None:
    tokens = np.tile(np.arange(k, dtype="<i4"), (count, 1))
    logprobs = np.full((count, k), LOGPROB, dtype="<f4")
    tokens[0], logprobs[0] = 0, SENTINEL  # the first position has no prediction
    rows.token_ids, rows.logprobs = tokens.tobytes(), logprobs.tobytes()
    rows.k, rows.length = k, count


def _tensor(tensor: messages.Tensor, values: np.ndarray[Any, Any]) -> None:
    tensor.dense = values.tobytes()
    tensor.dtype = messages.DTYPE_INT64 if values.dtype.kind == "i" else messages.DTYPE_FLOAT32
    tensor.shape.extend(values.shape)
