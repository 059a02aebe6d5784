"""Fetches paginated lists, and shows progress if there is more than one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from tinker_ext.cli.progress import ProgressLine

Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """The items of one page, and the total count, or None if the server does not report it."""

    items: Sequence[Item]
    total: int | None


class Listing(NamedTuple, Generic[Item]):
    """The fetched items, and the number of further items that exceed the limit."""

    items: list[Item]
    left_out: int


def fetch_all(
    fetch: Callable[[int, int], Page[Item]], *, limit: int, batch: int, label: str
) -> Listing[Item]:
    """Fetch pages with `fetch(limit, offset)` up to `limit` items; 0 means all.

    A server may return fewer items than requested. Fetching stops at the total count or, if the
    server does not report one, at the first page that is not full. An empty page always stops it.
    """
    items: list[Item] = []
    with ProgressLine(label) as progress:
        while True:
            page_size = min(batch, limit - len(items)) if limit else batch
            page = fetch(page_size, len(items))
            items.extend(page.items)
            if _is_last(page, page_size) or len(items) >= _target_count(page, limit):
                break
            progress.update(len(items), None if page.total is None else _target_count(page, limit))
    listing = truncate(items, limit)
    return listing._replace(left_out=max((page.total or 0) - len(listing.items), 0))


def truncate(items: list[Item], limit: int) -> Listing[Item]:
    """Keep the first `limit` items of a complete list; 0 keeps all."""
    shown = items[:limit] if limit else items
    return Listing(shown, len(items) - len(shown))


def _is_last(page: Page[Item], page_size: int) -> bool:
    return not page.items or (page.total is None and len(page.items) < page_size)


def _target_count(page: Page[Item], limit: int) -> float:
    """The number of items to fetch, given the limit and the total count of this page."""
    return min(limit or float("inf"), float("inf") if page.total is None else page.total)
