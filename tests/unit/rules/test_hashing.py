"""The hashes are those of the official releases, for every integer."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinker_ext.rules.hashing import hash2, hash_unordered

PRIME = sys.hash_info.modulus
edges = st.sampled_from(
    [0, -1, -2, PRIME, PRIME - 1, PRIME + 1, -PRIME, -PRIME - 1, 2**63, -(2**63)]
)
numbers = st.one_of(st.integers(), edges, st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(numbers))
@example([])
@example([-1])
@example([PRIME])
def test_hash_unordered_is_cpythons(values: list[float]) -> None:
    assert hash_unordered(values) == hash(tuple(sorted(int(value) for value in values)))


def pair_that_ends_in(final: int) -> tuple[int, int]:
    """Two integers whose state is `final` in the end: the algorithm, run backwards."""
    word, prime_1, prime_2, prime_5 = (
        2**64,
        11400714785074694791,
        14029467366897019727,
        2870177450012600261,
    )
    last = (final - (2 ^ prime_5 ^ 3527539)) * pow(prime_1, -1, word) % word
    last = (last >> 31 | last << 33) % word
    for first in range(1000):
        state = (prime_5 + first * prime_2) % word
        state = (state << 31 | state >> 33) * prime_1 % word
        second = (last - state) * pow(prime_2, -1, word) % word
        if first <= second < PRIME:
            return first, second
    raise AssertionError("one in eight should do")


@pytest.mark.parametrize(
    ("final", "expected"),
    [(2**64 - 1, 1546275796), (2**64 - 2, -2), (2**63, -(2**63)), (2**63 - 1, 2**63 - 1), (0, 0)],
)
def test_the_ends_of_the_range(final: int, expected: int) -> None:
    pair = pair_that_ends_in(final)
    assert hash(pair) == expected  # CPython itself, so the way back was right
    assert hash_unordered(pair) == expected


@given(st.lists(numbers))
def test_hash2_is_the_sum_in_64_bits(values: list[float]) -> None:
    expected = sum(int(value) & 2**64 - 1 for value in values) & 2**64 - 1
    assert hash2(values) == expected
    assert hash2(reversed(values)) == expected


@pytest.mark.parametrize("function", [hash_unordered, hash2])
def test_what_is_no_integer_is_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="NaN"):
        function([math.nan])
    with pytest.raises(OverflowError):
        function([-math.inf])
