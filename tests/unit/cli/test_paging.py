"""Fetching lists page by page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.cli.paging import Page, fetch_all


class Server:
    """A list of numbers behind a paged call that remembers what was asked."""

    def __init__(self, length: int, *, tells_total: bool = True, at_most: int = 10_000) -> None:
        self.items = list(range(length))
        self.tells_total = tells_total
        self.at_most = at_most
        self.asked: list[tuple[int, int]] = []

    def __call__(self, limit: int, offset: int) -> Page[int]:
        self.asked.append((limit, offset))
        items = self.items[offset : offset + min(limit, self.at_most)]
        return Page(items, len(self.items) if self.tells_total else None)


def test_a_short_list_takes_one_request_and_leaves_nothing_out() -> None:
    server = Server(3)
    assert fetch_all(server, limit=20, batch=100, label="x") == ([0, 1, 2], 0)
    assert server.asked == [(20, 0)]


def test_the_limit_is_kept_and_the_rest_counted() -> None:
    server = Server(250)
    listing = fetch_all(server, limit=120, batch=100, label="x")
    assert (listing.items, listing.left_out) == (list(range(120)), 130)
    assert server.asked == [(100, 0), (20, 100)]


def test_without_a_total_a_page_that_is_not_full_ends_the_list() -> None:
    server = Server(250, tells_total=False)
    assert fetch_all(server, limit=0, batch=100, label="x") == (list(range(250)), 0)
    assert server.asked == [(100, 0), (100, 100), (100, 200)]


def test_a_server_that_gives_smaller_pages_than_asked_is_asked_again() -> None:
    server = Server(25, at_most=10)
    assert fetch_all(server, limit=0, batch=100, label="x").items == list(range(25))
    assert server.asked == [(100, 0), (100, 10), (100, 20)]


def test_an_empty_page_ends_a_list_whose_total_is_wrong() -> None:
    def fetch(limit: int, offset: int) -> Page[int]:
        return Page([1, 2] if offset == 0 else [], 5)

    assert fetch_all(fetch, limit=0, batch=100, label="x").items == [1, 2]


def test_a_server_that_ignores_the_limit_does_not_overfill_the_list() -> None:
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
    at_most=st.integers(1, 20),
)
def test_every_item_up_to_the_limit_comes_once_and_in_order(
    length: int, limit: int, batch: int, at_most: int
) -> None:
    server = Server(length, at_most=at_most)
    listing = fetch_all(server, limit=limit, batch=batch, label="x")
    wanted = min(length, limit or length)
    assert listing == (list(range(wanted)), length - wanted)
