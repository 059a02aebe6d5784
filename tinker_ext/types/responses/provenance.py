"""Where training tokens come from: stretches of earlier samples and their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer, plain_int

_count = check_integer("a whole number from 0", lambda x: x >= 0)


def _check_id(_instance: object, _attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(
            "expected a sequence's id, as SampledSequence.sequence_id has it", where="sequence_id"
        )


@frozen(kw_only=True)
class PromptProvenanceSpan:
    """Tokens of the prompt that a sequence was sampled after; `offset` is from its beginning."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


@frozen(kw_only=True)
class SampledProvenanceSpan:
    """Tokens that were sampled as a sequence; `offset` is from the first of them."""

    sequence_id: str = field(validator=_check_id)
    offset: int = field(default=0, converter=plain_int, validator=_count)
    length: int = field(converter=plain_int, validator=_count)


ProvenanceSpan: TypeAlias = PromptProvenanceSpan | SampledProvenanceSpan
#: Stretches that follow each other without gaps.
ProvenanceSpans: TypeAlias = list[ProvenanceSpan]


def read_spans(given: Any, where: str) -> ProvenanceSpans | None:
    """A list of spans, or None for nothing said.

    Raises:
        InvalidInputError: it holds something else.
    """
    if given is None:
        return None
    kinds = PromptProvenanceSpan | SampledProvenanceSpan
    if not isinstance(given, Sequence) or not all(isinstance(one, kinds) for one in given):
        raise InvalidInputError(
            "expected a list of PromptProvenanceSpan and SampledProvenanceSpan", where=where
        )
    return list(given)


def check_cover(spans: Sequence[ProvenanceSpan], count: int, where: str) -> None:
    """Refuse spans that don't cover all `count` positions.

    Raises:
        InvalidInputError: they cover more or fewer.
    """
    covered = sum(span.length for span in spans)
    if covered != count:
        raise InvalidInputError(f"the spans cover {covered} of {count} positions", where=where)
