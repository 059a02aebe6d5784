"""Hashes of several integers that do not depend on their order, reproducible in any language.

Both are written down here and in ports/conformance/vectors/README.md in unsigned 64-bit
arithmetic alone; neither uses Python's own ``hash``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = 2**64
# Three of xxHash's 64-bit primes, as CPython's Objects/tupleobject.c uses them (3.8 and later).
_PRIME_1 = 11400714785074694791
_PRIME_2 = 14029467366897019727
_PRIME_5 = 2870177450012600261
# Mixed into the length, and given in place of -1, both by tupleobject.c.
_LENGTH_SALT = _PRIME_5 ^ 3527539
_INSTEAD_OF_MINUS_ONE = 1546275796
# CPython hashes an integer modulo this prime (sys.hash_info.modulus on 64-bit machines).
_MODULUS = 2**61 - 1


def hash_unordered(values: Iterable[float]) -> int:
    """0.4.1's ``hash_unordered``: what CPython gives for hash(tuple(sorted(int(v) ...))).

    Fractions are cut off towards zero. Returns a signed 64-bit integer. Raises ValueError for
    a NaN and OverflowError for an infinity.
    """
    integers = sorted(int(value) for value in values)
    state = _PRIME_5
    for integer in integers:
        state = (state + _lane(integer) * _PRIME_2) % _WORD
        state = (state << 31 | state >> 33) % _WORD
        state = state * _PRIME_1 % _WORD
    state = (state + (len(integers) ^ _LENGTH_SALT)) % _WORD
    if state == _WORD - 1:
        return _INSTEAD_OF_MINUS_ONE
    return state if state < _WORD // 2 else state - _WORD


def _lane(integer: int) -> int:
    """CPython's hash of one integer, as an unsigned word: -1 is not a hash there, -2 stands in."""
    remainder = abs(integer) % _MODULUS
    signed = remainder if integer >= 0 else -remainder
    return (-2 if signed == -1 else signed) % _WORD


def hash2(values: Iterable[float]) -> int:
    """0.38.0's ``hash2``: the sum of the integers modulo 2**64, from 0 to 2**64 - 1.

    Fractions are cut off towards zero. Raises ValueError for a NaN, OverflowError for an
    infinity.
    """
    return sum(int(value) for value in values) % _WORD
