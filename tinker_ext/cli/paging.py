"""Lists that come in pages, with progress when there is more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from tinker_ext.cli.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """Some items, and how many there are in all: None where the server does not say."""

    items: Sequence[Item]
    total: int | None


class Listing(NamedTuple, Generic[Item]):
    """What was fetched, and how many more there are that the limit kept out."""

    items: list[Item]
    left_out: int


def fetch_all(
    fetch: Callable[[int, int], Page[Item]], *, limit: int, batch: int, label: str
) -> Listing[Item]:
    """Fetch pages with `fetch(limit, offset)` until `limit` items are here; 0 means all.

    A server may give fewer items than asked for. The list ends where its total says, and
    without a total at the first page that is not full; an empty page ends it in any case.
    """
    items: list[Item] = []
    with ProgressLine(label) as progress:
        while True:
            asked = min(batch, limit - len(items)) if limit else batch
            page = fetch(asked, len(items))
            items.extend(page.items)
            if _is_last(page, asked) or len(items) >= _wanted(page, limit):
                break
            progress.update(len(items), None if page.total is None else _wanted(page, limit))
    listing = cut(items, limit)
    return listing._replace(left_out=max((page.total or 0) - len(listing.items), 0))


def cut(items: list[Item], limit: int) -> Listing[Item]:
    """The first `limit` items of a list that is whole; 0 means all."""
    kept = items[:limit] if limit else items
    return Listing(kept, len(items) - len(kept))


def _is_last(page: Page[Item], asked: int) -> bool:
    return not page.items or (page.total is None and len(page.items) < asked)


def _wanted(page: Page[Item], limit: int) -> float:
    """How many items to aim for, as far as this page tells."""
    return min(limit or float("inf"), float("inf") if page.total is None else page.total)
