"""Fetching paginated lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.cli.fetching import Page, fetch_all


class Server:
    """A paginated list of numbers that records its requests."""

    def __init__(self, length: int, *, reports_total: bool = True, max_page: int = 10_000) -> None:
        self.items = list(range(length))
        self.reports_total = reports_total
        self.max_page = max_page
        self.requests: list[tuple[int, int]] = []

    def __call__(self, limit: int, offset: int) -> Page[int]:
        self.requests.append((limit, offset))
        items = self.items[offset : offset + min(limit, self.max_page)]
        return Page(items, len(self.items) if self.reports_total else None)


def test_short_list_takes_one_request() -> None:
    server = Server(3)
    assert fetch_all(server, limit=20, batch=100, label="x") == ([0, 1, 2], 0)
    assert server.requests == [(20, 0)]


def test_limit_is_respected_and_remaining_items_counted() -> None:
    server = Server(250)
    listing = fetch_all(server, limit=120, batch=100, label="x")
    assert (listing.items, listing.left_out) == (list(range(120)), 130)
    assert server.requests == [(100, 0), (20, 100)]


def test_without_total_partial_page_ends_list() -> None:
    server = Server(250, reports_total=False)
    assert fetch_all(server, limit=0, batch=100, label="x") == (list(range(250)), 0)
    assert server.requests == [(100, 0), (100, 100), (100, 200)]


def test_smaller_pages_than_requested_are_continued() -> None:
    server = Server(25, max_page=10)
    assert fetch_all(server, limit=0, batch=100, label="x").items == list(range(25))
    assert server.requests == [(100, 0), (100, 10), (100, 20)]


def test_empty_page_ends_list_despite_larger_total() -> None:
    def fetch(limit: int, offset: int) -> Page[int]:
        return Page([1, 2] if offset == 0 else [], 5)

    assert fetch_all(fetch, limit=0, batch=100, label="x").items == [1, 2]


def test_items_beyond_limit_are_dropped() -> None:
    assert fetch_all(lambda *_: Page(range(9), None), limit=4, batch=10, label="x").items == [
        0,
        1,
        2,
        3,
    ]


@given(
    length=st.integers(0, 60),
    limit=st.integers(0, 70),
    batch=st.integers(1, 20),
    max_page=st.integers(1, 20),
)
def test_every_item_up_to_limit_is_returned_once_in_order(
    length: int, limit: int, batch: int, max_page: int
) -> None:
    server = Server(length, max_page=max_page)
    listing = fetch_all(server, limit=limit, batch=batch, label="x")
    count = min(length, limit or length)
    assert listing == (list(range(count)), length - count)
