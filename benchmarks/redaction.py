"""The cost of redacting an error's body, a message and a successful response."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

from tinker_ext.redaction.redactor import READ_TEXT, redact, redact_body
from tinker_ext.redaction.secret import Secret
from tinker_ext.transport.response import redact_bytes, redactable

# The usual secrets of one client: a key, its token, and a secret header.
SECRETS = [Secret("tml-" + "k" * 40), Secret("eyJ" + "t" * 800), Secret("Bearer " + "h" * 40)]
REPEATS = 5


def milliseconds(work: Callable[[], object], number: int) -> float:
    """The minimum of several runs."""
    return min(timeit.repeat(work, number=number, repeat=REPEATS)) / number * 1e3


def main() -> None:
    plain = "no such model, says the server. " * (READ_TEXT // 32)
    escaped = json.dumps('a "quoted" <tag> & 100%41\n' * (READ_TEXT // 30))[:READ_TEXT]
    response = json.dumps([0.123456789] * 800_000).encode()
    plain_secrets = redactable(SECRETS)
    for title, work, number in (
        ("error body of 64 KiB", lambda: redact_body({"detail": plain}), 20),
        ("error body of 64 KiB, full of escapes", lambda: redact_body({"detail": escaped}), 5),
        ("message of 500 characters", lambda: redact(plain[:500]), 200),
        (
            f"response of {len(response) / 1e6:.0f} MB",
            lambda: redact_bytes(response, plain_secrets),
            3,
        ),
    ):
        print(f"{title}: {milliseconds(work, number):.2f} ms")


if __name__ == "__main__":
    main()
