"""Texts of tokens, and their end at a stop sequence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.openai_api.bodies import Token, cut, token_texts


def decode_bytes(tokens: Sequence[int]) -> str:
    """A tokenizer with one token per byte."""
    return bytes(tokens).decode(errors="replace")


def decode_words(tokens: Sequence[int]) -> str:
    """A tokenizer that drops the space before the first word of a text, as SentencePiece does."""
    words = ["▁one", "▁two", "three"]
    return "".join(words[token] for token in tokens).replace("▁", " ").removeprefix(" ")


@given(st.text())
def test_token_texts_of_whole_characters_add_up_to_the_text(text: str) -> None:
    tokens = list(text.encode())
    texts = list(token_texts(decode_bytes, tokens))
    assert "".join(texts) == text
    assert len(texts) == len(tokens)


def test_character_of_several_tokens_is_the_text_of_the_last() -> None:
    assert list(token_texts(decode_bytes, list("a\u20ac".encode()))) == ["a", "", "", "\u20ac"]


def test_truncated_character_is_replaced_at_the_end() -> None:
    assert list(token_texts(decode_bytes, list("\u20ac".encode())[:2])) == ["", "\ufffd"]


def test_bytes_that_are_no_character_do_not_hide_later_texts() -> None:
    texts = list(token_texts(decode_bytes, [0xFF] * 6 + list(b"end")))
    assert "".join(texts).endswith("end")


def test_space_between_words_survives() -> None:
    assert list(token_texts(decode_words, [0, 1, 2, 0])) == ["one", " two", "three", " one"]


def tokens_of(text: str) -> list[Token]:
    return [Token(ord(character), character) for character in text]


@pytest.mark.parametrize(
    ("stops", "ends", "expected"),
    [
        ([], set(), ("hello", False)),
        (["l"], set(), ("he", True)),
        (["lo", "el"], set(), ("h", True)),
        (["h"], set(), ("", True)),
        (["x"], set(), ("hello", False)),
        ([], {ord("l")}, ("he", True)),
        (["e"], {ord("o")}, ("h", True)),
    ],
)
def test_cut_ends_text_before_first_stop(
    stops: list[str], ends: set[int], expected: tuple[str, bool]
) -> None:
    tokens, stopped = cut(tokens_of("hello"), stops, ends)
    assert ("".join(token.text for token in tokens), stopped) == expected


def test_cut_shortens_the_token_in_which_the_stop_text_starts() -> None:
    tokens = [Token(1, "one\n", -1.0), Token(2, "\ntwo", -2.0)]
    assert cut(tokens, ["\n\n"], set()) == ([Token(1, "one", -1.0)], True)
