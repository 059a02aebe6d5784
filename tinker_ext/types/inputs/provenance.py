"""The provenance of training tokens: spans of earlier samples and their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer, plain_int
from tinker_ext.types.records import Record

_count = check_integer("an integer >= 0", lambda x: x >= 0)


def _check_id(_instance: object, _attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(
            "expected a SampledSequence.sequence_id, a non-empty string", where="sequence_id"
        )


@frozen(kw_only=True)
class PromptProvenanceSpan(Record):
    """Tokens of the prompt of a sequence; `offset` counts from the first prompt token."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


@frozen(kw_only=True)
class SampledProvenanceSpan(Record):
    """Tokens of a sampled sequence; `offset` counts from the first sampled token."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


ProvenanceSpan: TypeAlias = PromptProvenanceSpan | SampledProvenanceSpan
#: Spans that follow each other without gaps.
ProvenanceSpans: TypeAlias = list[ProvenanceSpan]


def read_spans(spans: Any, where: str) -> ProvenanceSpans | None:
    """Copies a list of spans; None stays None.

    Raises:
        InvalidInputError: the value is not a list of spans.
    """
    if spans is None:
        return None
    kinds = PromptProvenanceSpan | SampledProvenanceSpan
    if not isinstance(spans, Sequence) or not all(isinstance(span, kinds) for span in spans):
        raise InvalidInputError(
            "expected a list of PromptProvenanceSpan and SampledProvenanceSpan objects", where=where
        )
    return list(spans)


def check_cover(spans: Sequence[ProvenanceSpan], count: int, where: str) -> None:
    """Checks that the spans cover exactly `count` positions.

    Raises:
        InvalidInputError: the spans cover more or fewer positions.
    """
    covered = sum(span.length for span in spans)
    if covered != count:
        raise InvalidInputError(
            f"the spans cover {covered} positions, expected {count}", where=where
        )
