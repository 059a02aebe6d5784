"""Splits a batch into requests."""

from __future__ import annotations

from collections.abc import Sequence

#: Limits of one request: datums, and numbers (tokens plus tensor entries); from 0.4.1
#: training_client.py.
MAX_CHUNK_ITEMS = 128
MAX_CHUNK_SIZE = 500_000


def split(
    sizes: Sequence[int],
    *,
    max_items: int = MAX_CHUNK_ITEMS,
    max_size: int = MAX_CHUNK_SIZE,
) -> list[range]:
    """Splits items of the given sizes into the fewest possible runs of neighbors.

    Returns index ranges that cover all items once, in order. Each has at most `max_items` items
    and a total size of at most `max_size`; an item larger than that forms its own run. Raises
    ValueError if a size is negative or a limit is below 1.
    """
    if max_items < 1 or max_size < 1:
        raise ValueError(f"limits must be at least 1, got {max_items} items and size {max_size}")
    runs: list[range] = []
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if size < 0:
            raise ValueError(f"item {index} has the negative size {size}")
        if index > start and (index - start == max_items or total + size > max_size):
            runs.append(range(start, index))
            start, total = index, 0
        total += size
    if sizes:
        runs.append(range(start, len(sizes)))
    return runs
