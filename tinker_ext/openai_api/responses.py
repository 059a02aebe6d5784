"""Response bodies and stream events, in OpenAI's form, from tokens cut at stop sequences."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson
from attrs import evolve, field, frozen

from tinker_ext.openai_api.parameters import SampleSpec

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


@frozen
class Choice:
    """The tokens of one completion, and the reason of its end: ``stop`` or ``length``."""

    index: int
    tokens: list[Token]
    finish_reason: str


@frozen
class Completion:
    """The result of a request."""

    spec: SampleSpec
    choices: list[Choice]
    usage: dict[str, Any]
    decode: Decode
    id: str = field(factory=lambda: uuid.uuid4().hex)
    created: int = field(factory=lambda: int(time.time()))

    @property
    def _chat(self) -> bool:
        return self.spec.messages is not None

    def body(self) -> dict[str, Any]:
        """The complete response."""
        choices = []
        for choice in self.choices:
            text = "".join(token.text for token in choice.tokens)
            message = {"role": "assistant", "content": text, "refusal": None}
            content: dict[str, Any] = {"message": message} if self._chat else {"text": text}
            logprobs = self._logprobs(choice.tokens, 0)
            choices.append(_choice(choice.index, content, logprobs, choice.finish_reason))
        return {**self._head("chat.completion"), "choices": choices, "usage": self.usage}

    def events(self) -> Iterator[bytes]:
        """The response as server-sent events: one for each token that adds text."""
        head = self._head("chat.completion.chunk")
        if self.spec.include_usage:
            head["usage"] = None
        for choice in self.choices:
            if self._chat:
                role = {"delta": {"role": "assistant", "content": ""}}
                yield event({**head, "choices": [_choice(choice.index, role)]})
            offset = 0
            for token in choice.tokens:
                logprobs = self._logprobs([token], offset)
                offset += len(token.text)
                if token.text or logprobs:
                    content = (
                        {"delta": {"content": token.text}} if self._chat else {"text": token.text}
                    )
                    yield event({**head, "choices": [_choice(choice.index, content, logprobs)]})
            end = _choice(choice.index, self._delta(""), finish_reason=choice.finish_reason)
            yield event({**head, "choices": [end]})
        if self.spec.include_usage:
            yield event({**head, "choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"

    def _delta(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text} if text else {}} if self._chat else {"text": text}

    def _head(self, chat_object: str) -> dict[str, Any]:
        kind, prefix = (chat_object, "chatcmpl-") if self._chat else ("text_completion", "cmpl-")
        head = {"id": prefix + self.id, "object": kind, "created": self.created}
        return {**head, "model": self.spec.model}

    def _logprobs(self, tokens: list[Token], offset: int) -> dict[str, Any] | None:
        """Logprobs in the form of the operation; `offset` is the position of the first token."""
        if self.spec.top_logprobs is None:
            return None
        if self._chat:
            return {"content": [self._scored(token) for token in tokens], "refusal": None}
        offsets = []
        for token in tokens:
            offsets.append(offset)
            offset += len(token.text)
        return {
            "tokens": [self.decode([token.id]) for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [self._by_text(token) for token in tokens],
            "text_offset": offsets,
        }

    def _by_text(self, token: Token) -> dict[str, float] | None:
        """The most likely tokens and, as OpenAI returns them, the token itself."""
        if token.logprob is None:
            return None
        pairs = [(token.id, token.logprob), *reversed(self._top(token))]
        return {self.decode([other]): logprob for other, logprob in pairs}

    def _scored(self, token: Token) -> dict[str, Any]:
        top = [self._entry(other, logprob) for other, logprob in self._top(token)]
        return {**self._entry(token.id, token.logprob), "top_logprobs": top}

    def _top(self, token: Token) -> list[tuple[int, float]]:
        return list(token.top or ())[: self.spec.top_logprobs]

    def _entry(self, token: int, logprob: float | None) -> dict[str, Any]:
        text = self.decode([token])
        # A part of a character has no text, and OpenAI's null for unknown bytes.
        known = None if INCOMPLETE in text else list(text.encode())
        return {"token": text, "logprob": logprob, "bytes": known}


def event(content: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(content) + b"\n\n"


def _choice(
    index: int, content: dict[str, Any], logprobs: object = None, finish_reason: str | None = None
) -> dict[str, Any]:
    return {"index": index, **content, "logprobs": logprobs, "finish_reason": finish_reason}
