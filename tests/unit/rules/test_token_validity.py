"""Any text can be parsed as a token, and a token is refreshed before it expires."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import web_token
from tinker_ext.rules.token_validity import (
    MIN_DELAY,
    Validity,
    is_alive,
    is_usable,
    lifetime,
    read_times,
    refresh_delay,
)

UNKNOWN = Validity()


@given(st.text() | st.binary().map(web_token))
def test_any_text_is_handled(text: str) -> None:
    assert isinstance(read_times(text), Validity)


def test_invalid_token_has_no_times() -> None:
    assert read_times(web_token(b"[" * 40_000)) == UNKNOWN
    assert read_times(web_token(b'{"exp": 1' + b"0" * 400 + b"}")) == UNKNOWN
    assert read_times(web_token({"exp": 5, "more": "x" * 70_000})) == UNKNOWN
    assert read_times(web_token(b"\xff\xfe")) == UNKNOWN


timestamps = st.none() | st.floats(-1e12, 1e12)


@given(timestamps, timestamps, st.floats(-1e12, 1e12), st.floats(0, 1, exclude_max=True))
def test_token_is_usable_on_receipt_and_refreshed_before_it_expires(
    issued: float | None, expires: float | None, now: float, jitter: float
) -> None:
    seconds = lifetime(Validity(issued, expires), now)
    assert seconds is None or seconds > 0
    assert is_usable(0, seconds)
    assert is_alive(0, seconds)
    delay = refresh_delay(seconds, jitter)
    assert delay >= MIN_DELAY
    if seconds is not None and seconds >= 4:
        assert is_alive(delay, seconds)
