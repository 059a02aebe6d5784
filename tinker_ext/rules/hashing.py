"""Hashes of integers that do not depend on their order, reproducible in any language.

Both use unsigned 64-bit arithmetic instead of Python's ``hash``, and are specified in
ports/conformance/vectors/README.md.
"""

from __future__ import annotations

from collections.abc import Iterable

_WORD = 2**64
# Three of xxHash's 64-bit primes, as CPython's Objects/tupleobject.c uses them (3.8 and later).
_PRIME_1 = 11400714785074694791
_PRIME_2 = 14029467366897019727
_PRIME_5 = 2870177450012600261
# Combined with the length, and returned instead of -1, as in tupleobject.c.
_LENGTH_SALT = _PRIME_5 ^ 3527539
_REPLACEMENT_FOR_MINUS_ONE = 1546275796
# CPython hashes an integer modulo this prime (sys.hash_info.modulus on 64-bit machines).
_MODULUS = 2**61 - 1


def hash_unordered(values: Iterable[float]) -> int:
    """The ``hash_unordered`` of 0.4.1, which equals CPython's hash(tuple(sorted(int(v) ...))).

    Fractions are truncated. Returns a signed 64-bit integer. Raises ValueError for NaN and
    OverflowError for an infinity.
    """
    integers = sorted(int(value) for value in values)
    state = _PRIME_5
    for integer in integers:
        state = (state + _lane(integer) * _PRIME_2) % _WORD
        state = (state << 31 | state >> 33) % _WORD
        state = state * _PRIME_1 % _WORD
    state = (state + (len(integers) ^ _LENGTH_SALT)) % _WORD
    if state == _WORD - 1:
        return _REPLACEMENT_FOR_MINUS_ONE
    return state if state < _WORD // 2 else state - _WORD


def _lane(integer: int) -> int:
    """CPython's hash of an integer as an unsigned word; CPython replaces -1 by -2."""
    remainder = abs(integer) % _MODULUS
    signed = remainder if integer >= 0 else -remainder
    return (-2 if signed == -1 else signed) % _WORD


def hash2(values: Iterable[float]) -> int:
    """The ``hash2`` of 0.38.0: the sum of the integers modulo 2**64.

    Fractions are truncated. Raises ValueError for NaN and OverflowError for an infinity.
    """
    return sum(int(value) for value in values) % _WORD
