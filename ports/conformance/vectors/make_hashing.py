"""Writes hashing.json with CPython's hash(), independently of the code under test.

python3.11 ports/conformance/vectors/make_hashing.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path

MODULUS = 2**61 - 1  # the prime modulus of CPython's hash of integers
MASK = 2**64 - 1

NAMED: list[tuple[str, list[int | float]]] = [
    ("no values", []),
    ("zero", [0]),
    ("one", [1]),
    ("minus one, hashed as minus two", [-1]),
    ("minus two", [-2]),
    ("two", [2]),
    ("one, two, three", [1, 2, 3]),
    ("the order does not matter", [3, 1, 2]),
    ("a repeated value", [5, 5]),
    ("minus one among other values", [-1, 0, 1]),
    ("2**61 - 1, hashed as 0", [MODULUS]),
    ("2**61 - 2", [MODULUS - 1]),
    ("2**61", [MODULUS + 1]),
    ("-(2**61 - 1)", [-MODULUS]),
    ("-(2**61), hashed as minus two", [-MODULUS - 1]),
    ("the largest 64-bit integer", [2**63 - 1]),
    ("the smallest 64-bit integer", [-(2**63)]),
    ("beyond 64 bits", [2**64, -(2**64), 2**100, -(2**100)]),
    ("fractions are truncated", [1.9, -1.9, 0.5, -0.5]),
    ("floats with integer values", [3.0, -7.0, 1e15]),
    ("a large float", [1e300]),
    ("minus zero", [-0.0]),
    ("the hash is -2", [21, 1057445783913741075]),
    ("the hash is the smallest integer", [21, 813337572472182083]),
    ("the hash is the largest integer", [17, 69515555028544757]),
    ("the hash is 0", [25, 866694567865610361]),
    ("the hash -1 is replaced", [21, 122872550421973035]),
]


def case(name: str, values: list[int | float]) -> str:
    """Returns a line of the file; integers are strings, because JSON parsers may round them."""
    integers = [int(value) for value in values]
    return json.dumps(
        {
            "name": name,
            "values": [value if isinstance(value, float) else str(value) for value in values],
            "expect": {
                "hash_unordered": str(hash(tuple(sorted(integers)))),
                "hash2": str(sum(integer & MASK for integer in integers) & MASK),
            },
        }
    )


def main() -> None:
    rng = random.Random(20240601)
    cases = [case(name, values) for name, values in NAMED]
    for number in range(10):
        values: list[int | float] = [
            rng.randint(-(2**63), 2**63 - 1) for _ in range(rng.randint(1, 9))
        ]
        cases.append(case(f"random {number}", values))
    cases.append(case("a hundred values", [rng.randint(-(10**6), 10**6) for _ in range(100)]))
    text = (
        '{\n  "rules": ["rules.hashing.hash_unordered", "rules.hashing.hash2"],\n'
        '  "made_with": "hash() of CPython 3.11 on a 64-bit machine",\n'
        '  "cases": [\n    ' + ",\n    ".join(cases) + "\n  ]\n}\n"
    )
    Path(__file__).with_name("hashing.json").write_text(text)


if __name__ == "__main__":
    main()
