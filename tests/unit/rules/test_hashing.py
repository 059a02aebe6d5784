"""The hashes equal those of the official releases."""

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
def test_hash_unordered_equals_cpython_hash(values: list[float]) -> None:
    assert hash_unordered(values) == hash(tuple(sorted(int(value) for value in values)))


def pair_with_final_state(final: int) -> tuple[int, int]:
    """Finds two integers whose final state is `final` by running the algorithm backwards."""
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
    raise AssertionError("no pair found, though one in eight values fits")


@pytest.mark.parametrize(
    ("final", "expected"),
    [(2**64 - 1, 1546275796), (2**64 - 2, -2), (2**63, -(2**63)), (2**63 - 1, 2**63 - 1), (0, 0)],
)
def test_hash_unordered_at_the_limits_of_its_range(final: int, expected: int) -> None:
    pair = pair_with_final_state(final)
    assert hash(pair) == expected  # verifies the helper with CPython
    assert hash_unordered(pair) == expected


@given(st.lists(numbers))
def test_hash2_is_the_sum_modulo_2_64(values: list[float]) -> None:
    expected = sum(int(value) & 2**64 - 1 for value in values) & 2**64 - 1
    assert hash2(values) == expected
    assert hash2(reversed(values)) == expected


@pytest.mark.parametrize("function", [hash_unordered, hash2])
def test_nan_and_infinity_raise(function: object) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="NaN"):
        function([math.nan])
    with pytest.raises(OverflowError):
        function([-math.inf])
