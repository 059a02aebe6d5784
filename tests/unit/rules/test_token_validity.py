"""Whatever a token is, reading it ends in times or in nothing, and it is used for a while."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.web_tokens import web_token
from tinker_ext.rules.token_validity import (
    MIN_DELAY,
    Validity,
    is_alive,
    is_usable,
    lifetime,
    read_times,
    refresh_delay,
)

NOTHING = Validity()


@given(st.text() | st.binary().map(web_token))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(read_times(text), Validity)


def test_absurd_tokens_say_nothing() -> None:
    assert read_times(web_token(b"[" * 40_000)) == NOTHING
    assert read_times(web_token(b'{"exp": 1' + b"0" * 400 + b"}")) == NOTHING
    assert read_times(web_token({"exp": 5, "more": "x" * 70_000})) == NOTHING
    assert read_times(web_token(b"\xff\xfe")) == NOTHING


moments = st.none() | st.floats(-1e12, 1e12)


@given(moments, moments, st.floats(-1e12, 1e12), st.floats(0, 1, exclude_max=True))
def test_a_token_is_good_when_it_comes_and_renewed_in_time(
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
