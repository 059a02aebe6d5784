"""Tokens as text, cut at stop sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve, frozen

Decode = Callable[[Sequence[int]], str]

#: What a tokenizer returns for bytes that are not a complete character.
INCOMPLETE = "\ufffd"
#: Bytes of the longest character in UTF-8, and so the most tokens of one character.
_MAX_PARTS = 4


@frozen
class Token:
    """A token, the text that it adds, its logprob, and the most likely tokens at its position.

    `text` is empty for all but the last token of a character that has several.
    """

    id: int
    text: str
    logprob: float | None = None
    top: Sequence[tuple[int, float]] | None = None


def token_texts(decode: Decode, tokens: Sequence[int]) -> Iterator[str]:
    """The text that each token adds.

    Each token is decoded together with the previous one, because tokenizers drop the space at the
    start of a text.
    """
    start, complete = 0, 0
    for end in range(1, len(tokens) + 1):
        text = decode(tokens[start:end])
        if text.endswith(INCOMPLETE) and end - complete < _MAX_PARTS and end < len(tokens):
            yield ""
            continue
        yield text[len(decode(tokens[start:complete])) :]
        start, complete = complete, end


def cut(
    tokens: list[Token], stop_texts: Iterable[str], stop_tokens: set[int]
) -> tuple[list[Token], bool]:
    """The tokens before the first stop token or stop text, and whether there was one.

    The last token's text is shortened if the stop text starts within it.
    """
    ends = (index for index, token in enumerate(tokens) if token.id in stop_tokens)
    before = tokens[: next(ends, None)]
    text = "".join(token.text for token in before)
    starts = [start for stop in stop_texts if (start := text.find(stop)) >= 0]
    if not starts:
        return before, len(before) < len(tokens)
    length, shortened = min(starts), []
    for token in before:
        if length > 0:
            shortened.append(evolve(token, text=token.text[:length]))
        length -= len(token.text)
    return shortened, True
