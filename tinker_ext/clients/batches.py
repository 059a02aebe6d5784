"""Batches of training data: split into requests, results combined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.argument_checks import check_nonempty_str
from tinker_ext.clients.result_decoding import ResultBody, decode_result, misfit
from tinker_ext.errors import InvalidInputError
from tinker_ext.rules.chunking import split
from tinker_ext.rules.outputs import combine_outputs
from tinker_ext.runtime.submission.ordered import ChunkRequest, naming_datums
from tinker_ext.transport.training_data import TrainingData, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinker_ext.protocol.server_protocol import ServerProtocol

Operation = Literal["forward", "forward_backward"]


@frozen
class Batch:
    """The data of one call, encoded as one or more requests."""

    operation: Operation
    parts: Sequence[ChunkRequest]
    parallel: bool
    chunks: Sequence[range]
    # The number of target tokens of each datum; None for a datum without any or with sparse ones.
    target_sizes: Sequence[int | None]
    attributes: Mapping[str, Any]
    config: Mapping[str, float | str] | None = None

    @classmethod
    def encode(
        cls,
        operation: Operation,
        model_id: str,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None,
        protocol: ServerProtocol,
    ) -> Batch:
        """Validate, split and encode `data` for a server, on the caller's thread."""
        if not data:
            raise InvalidInputError("expected at least one datum", where="data")
        if callable(loss_fn):
            raise InvalidInputError(
                f"expected the name of a loss, got {type(loss_fn).__name__}; "
                "pass your own loss function to forward_backward_custom",
                where="loss_fn",
            )
        check_nonempty_str(loss_fn, "loss_fn")
        types.validate_data(data, loss_fn=loss_fn, images=protocol.images_of(operation))
        config = types.parse_loss_config(loss_fn_config)
        chunks = _split(data, protocol)
        lengths = [datum.model_input.known_length for datum in data]

        def part(chunk: range) -> ChunkRequest:
            with naming_datums(chunk):
                datums = [data[at] for at in chunk]
                encoded = TrainingData(operation, datums, loss_fn, config, protocol)
            forward_only = operation == "forward"
            request = TrainingRequest(encoded, model_id, forward_only=forward_only)
            tokens = 0
            for length in lengths[chunk.start : chunk.stop]:
                tokens += length
            counted = "forward_tokens" if forward_only else "training_tokens"
            return ChunkRequest(request, chunk, (counted, tokens))

        return cls(
            operation,
            config=config,
            parts=[part(chunk) for chunk in chunks],
            parallel=len(chunks) > 1 and protocol.parallel,
            chunks=chunks,
            target_sizes=[_target_size(datum) for datum in data],
            attributes={
                tracing.LOSS_FN: loss_fn,
                tracing.DATUM_COUNT: len(data),
                tracing.TOKEN_COUNT: sum(lengths),
            },
        )

    def output(self, bodies: Sequence[ResultBody]) -> types.ForwardBackwardOutput:
        """The result of the whole batch.

        Raises:
            APIResponseValidationError: a result does not fit its request.
        """
        pairs = zip(bodies, self.chunks, strict=True)
        outputs = [self._output(body, chunk) for body, chunk in pairs]
        with tracing.stage(tracing.Stage.REDUCE):
            combined = combine_outputs(outputs, datum_counts=list(map(len, self.chunks)))
        return types.ForwardBackwardOutput(
            loss_fn_output_type=combined.loss_fn_output_type or "",
            loss_fn_outputs=combined.loss_fn_outputs,
            metrics=combined.metrics,
        )

    def _output(self, body: ResultBody, chunk: range) -> types.ForwardBackwardOutput:
        """The result of one request, with one output per datum."""
        model, convert = models.ForwardBackwardOutput, types.ForwardBackwardOutput.from_api
        with naming_datums(chunk):
            output = decode_result(self.operation, body, model, convert)
        outputs = output.loss_fn_outputs
        if len(outputs) != len(chunk):
            raise misfit(
                self.operation,
                body,
                f"loss_fn_outputs: expected {len(chunk)}, one for each datum of "
                f"data[{chunk.start}:{chunk.stop}], got {len(outputs)}",
            )
        for at, entry in zip(chunk, outputs, strict=True):
            size, logprobs = self.target_sizes[at], entry.get("logprobs")
            if size is not None and logprobs is not None and logprobs.dense_size != size:
                raise misfit(
                    self.operation,
                    body,
                    f"loss_fn_outputs[{at}]['logprobs']: expected {size} numbers, one for each "
                    f"target token, got {logprobs.dense_size}",
                )
        return output


def _target_size(datum: types.Datum) -> int | None:
    targets = datum.loss_fn_inputs.get("target_tokens")
    return None if targets is None or targets.is_sparse else targets.size


def _split(data: Sequence[types.Datum], protocol: ServerProtocol) -> list[range]:
    """Split by the server's limits, or by those of 0.4.1 if the server reports none."""
    flags = protocol.flags
    if flags is None:
        return split([types.number_count(datum) for datum in data])
    return split(
        [types.byte_count(datum) for datum in data],
        max_items=max(1, flags.fwdbwd_max_chunk_len),
        max_size=max(1, flags.fwdbwd_max_chunk_bytes_count),
    )
