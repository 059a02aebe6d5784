"""Operations that overlap, put into lanes in which nothing does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from tinker_ext.trace_report.recordings import Recording, SpanRecord


@frozen
class Lane:
    """Operations of one name, one after another."""

    name: str
    spans: list[SpanRecord] = field(factory=list)

    def has_room(self, span: SpanRecord) -> bool:
        return not self.spans or self.spans[-1].end <= span.start


def lanes(recording: Recording) -> list[Lane]:
    """The operations by name, each name in as many lanes as it ever has at once.

    Operations within operations (a session's creation, the two halves of a custom loss) have
    lanes of their own. The names are in the order in which they first came.
    """
    by_name: dict[str, list[Lane]] = defaultdict(list)
    spans = [span for span in [*recording.spans, *recording.unfinished] if span.is_operation]
    for span in sorted(spans, key=lambda span: span.start):
        name = span.name.removeprefix("tinker.")
        free = next((lane for lane in by_name[name] if lane.has_room(span)), None)
        if free is None:
            free = Lane(name)
            by_name[name].append(free)
        free.spans.append(span)
    return [lane for found in by_name.values() for lane in found]
