"""Batches of training data: split into requests, results combined."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, Literal, get_args

from attrs import frozen
from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.argument_checks import check_nonempty_str
from tinker_ext.clients.result_decoding import ResultBody, decode_result, misfit
from tinker_ext.errors import InvalidInputError, TinkerError
from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.rules.chunking import split
from tinker_ext.rules.outputs import combine_outputs
from tinker_ext.runtime.concurrency.futures import user_stacklevel
from tinker_ext.runtime.submission.ordered import ChunkRequest, name_datums
from tinker_ext.transport.training_data import TrainingData, TrainingRequest
from tinker_ext.types.inputs.datum import DTYPE_BY_KEY
from tinker_ext.types.inputs.params import LossFnType

Operation = Literal["forward", "forward_backward"]
#: The names of losses, of the parameters of a loss, and of the keys of ``loss_fn_inputs`` that the
#: known servers read. A server may have others, so an unknown name is sent.
LOSSES = frozenset(get_args(get_args(LossFnType)[0]))
LOSS_PARAMETERS = frozenset({"beta", "clip_high_threshold", "clip_low_threshold", "kl_coeff"})
INPUT_KEYS = frozenset(DTYPE_BY_KEY)
# The similarity from which a name is taken for a typo (`difflib.SequenceMatcher.ratio`); "ppo2" and
# "ppo", which may be two losses, have 0.86. A suggestion is all that depends on it.
_SIMILAR = 0.75


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
        if type(loss_fn) is not str or not loss_fn:
            check_nonempty_str(loss_fn, "loss_fn")
        types.validate_data(data, loss_fn=loss_fn, images=protocol.images_of(operation))
        config = types.parse_loss_config(loss_fn_config)
        chunks = _split(data, protocol)
        datums, lengths = list(data), []
        target_sizes: list[int | None] = []
        for datum in datums:
            lengths.append(datum.model_input.known_length)
            targets = datum.loss_fn_inputs.get("target_tokens")
            if targets is None or targets.is_sparse:
                target_sizes.append(None)
            else:
                target_sizes.append(targets.size)

        def part(chunk: range) -> ChunkRequest:
            at, forward_only = slice(chunk.start, chunk.stop), operation == "forward"
            try:
                encoded = TrainingData(operation, datums[at], loss_fn, config, protocol)
            except TinkerError as error:
                name_datums(error, chunk)
                raise
            request = TrainingRequest(encoded, model_id, forward_only=forward_only)
            counted = "forward_tokens" if forward_only else "training_tokens"
            return ChunkRequest(request, chunk, (counted, sum(lengths[at])))

        return cls(
            operation,
            config=config,
            parts=list(map(part, chunks)),
            parallel=len(chunks) > 1 and protocol.parallel,
            chunks=chunks,
            target_sizes=target_sizes,
            attributes={
                tracing.LOSS_FN: loss_fn,
                tracing.DATUM_COUNT: len(datums),
                tracing.TOKEN_COUNT: sum(lengths),
            },
        )

    def output(self, bodies: Sequence[ResultBody]) -> types.ForwardBackwardOutput:
        """The result of the whole batch.

        Raises:
            APIResponseValidationError: a result does not fit its request.
        """
        outputs = list(starmap(self._output, zip(bodies, self.chunks, strict=True)))
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
        try:
            output = decode_result(self.operation, body, model, convert)
        except TinkerError as error:
            name_datums(error, chunk)
            raise
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


def _split(data: Sequence[types.Datum], protocol: ServerProtocol) -> list[range]:
    """Split by the server's limits, or by those of 0.4.1 if the server reports none."""
    flags = protocol.flags
    if flags is None:
        return split(list(map(types.number_count, data)))
    return split(
        list(map(types.byte_count, data)),
        max_items=max(1, flags.fwdbwd_max_chunk_len),
        max_size=max(1, flags.fwdbwd_max_chunk_bytes_count),
    )


def misspelled_names(loss_fn: str, config: Mapping[str, Any] | None) -> str | None:
    """A hint for the error of a server that rejects a loss or its parameters; None if no name is
    similar to a known one."""
    suggestions = []
    if loss_fn not in LOSSES:
        suggestions += _suggestions([loss_fn], LOSSES)
    if config:
        suggestions += _suggestions(config.keys() - LOSS_PARAMETERS, LOSS_PARAMETERS)
    return " ".join(suggestions) or None


def warn_of_misspelled_keys(inputs: Mapping[str, object]) -> None:
    """Warn of keys of ``loss_fn_inputs`` that are similar to a known key, which is missing.

    Servers ignore unknown keys: without its ``weights`` a datum trains on every token.
    """
    for suggestion in _suggestions(inputs.keys() - INPUT_KEYS, INPUT_KEYS - inputs.keys()):
        warnings.warn(
            f"loss_fn_inputs: {suggestion} Servers ignore keys that their losses do not read.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def _suggestions(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A question for each name that is similar to a known one."""
    import difflib  # Needed only for a typo.

    suggestions = []
    for name in sorted(names):
        similar = difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR)
        if similar:
            suggestions.append(f"Did you mean {similar[0]!r} instead of {name!r}?")
    return suggestions
