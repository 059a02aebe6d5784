"""Bodies of requests, parsed and checked, and of responses and stream events, in OpenAI's form.

The text of a response is that of its tokens, cut at stop sequences.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import orjson
from attrs import evolve, field, frozen

from tinker_ext.openai_api.errors import EndpointError
from tinker_ext.types import SamplingParams

#: OpenAI's limits of `n` and of the number of logprobs, and its default of `max_tokens` for
#: completions.
MAX_CHOICES, MAX_TOP_LOGPROBS, DEFAULT_MAX_TOKENS = 128, 20, 16

#: Parameters without an effect on the result.
_IGNORED = {"metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier"}
_IGNORED |= {"service_tier", "store", "user"}
#: Parameters without a counterpart in the Tinker API, and the values that have no effect.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "suffix": ("",),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
_COMMON = {"model", "n", "stream", "stream_options", "max_tokens", "seed", "stop", "logprobs"}
_COMMON |= {"stop_token_ids", "temperature", "top_k", "top_p"}
_CHAT = {"messages", "max_completion_tokens", "top_logprobs", "chat_template_kwargs"}
_COMPLETION = {"prompt", "echo"}
#: Arguments of transformers' `apply_chat_template` that are not variables of the template. A
#: caller's template could occupy the endpoint's memory and processor without limit.
_NOT_VARIABLES = {"chat_template", "conversation", "messages", "tokenize", "tokenizer_kwargs"}
_NOT_VARIABLES |= {"padding", "truncation", "max_length", "return_tensors", "return_dict"}
_NOT_VARIABLES |= {"return_assistant_tokens_mask"}


@frozen(kw_only=True)
class SampleSpec:
    """A request. `messages` is set for a chat, otherwise `prompts`: texts or token ids.

    `top_logprobs` is the number of most likely tokens per position, None if no logprobs are
    requested. `stop_texts` and `stop_tokens` end a completion and are not part of its text.
    """

    model: str
    params: SamplingParams
    n: int
    stream: bool
    include_usage: bool
    stop_texts: list[str]
    stop_tokens: list[int]
    top_logprobs: int | None
    echo: bool = False
    prompts: list[str | list[int]]
    messages: list[dict[str, Any]] | None = None
    template_options: dict[str, Any]


def parse(body: object, *, chat: bool) -> SampleSpec:
    """Parse the body of ``/chat/completions`` (`chat`) or ``/completions``.

    Raises:
        EndpointError: 400, naming the parameter.
        InvalidInputError: a sampling parameter is out of range.
    """
    read = _Reader(body, _COMMON | (_CHAT if chat else _COMPLETION))
    limit = read("max_tokens", int, None if chat else DEFAULT_MAX_TOKENS)
    if chat:
        limit = read("max_completion_tokens", int, limit)
        top = read("top_logprobs", int, 0) if read("logprobs", bool, False) else None
    else:
        top = read("logprobs", int, None)
    texts, tokens = _stops(read("stop", str | list, []), read("stop_token_ids", list, []))
    params = SamplingParams(
        max_tokens=limit,
        seed=read("seed", int, None),
        temperature=read("temperature", int | float, 1.0),
        top_k=read("top_k", int, -1),
        top_p=read("top_p", int | float, 1.0),
    )
    spec = SampleSpec(
        model=read("model", str),
        params=params,
        n=read("n", int, 1),
        stream=read("stream", bool, False),
        include_usage=bool(read("stream_options", dict, {}).get("include_usage")),
        stop_texts=texts,
        stop_tokens=tokens,
        top_logprobs=top,
        echo=read("echo", bool, False),
        prompts=[] if chat else _prompts(read("prompt", str | list)),
        messages=_messages(read("messages", list)) if chat else None,
        template_options=read("chat_template_kwargs", dict, {}),
    )
    for name in sorted(spec.template_options.keys() & _NOT_VARIABLES):
        message = f"must not contain {name}, which is not a variable of the model's template"
        raise _invalid("chat_template_kwargs", message)
    if limit == 0 and not spec.echo:
        raise _invalid("max_tokens", "must be positive, except with echo")
    if not 1 <= spec.n <= MAX_CHOICES:
        raise _invalid("n", f"must be between 1 and {MAX_CHOICES}, got {spec.n}")
    if not 0 <= (top or 0) <= MAX_TOP_LOGPROBS:
        name = "top_logprobs" if chat else "logprobs"
        raise _invalid(name, f"must be between 0 and {MAX_TOP_LOGPROBS}, got {top}")
    return spec


class _Reader:
    """Reads the fields of a body; null counts as absent."""

    def __init__(self, body: object, known: set[str]) -> None:
        if not isinstance(body, dict):
            raise EndpointError(400, "The body must be a JSON object.")
        self._values = {name: value for name, value in body.items() if value is not None}
        for name in self._values.keys() - known - _IGNORED:
            if name not in _NEUTRAL:
                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise _invalid(name, f"is not a parameter of this operation{hint}")
            if self._values[name] not in _NEUTRAL[name]:
                allowed = " or ".join(map(repr, _NEUTRAL[name]))
                raise _invalid(name, f"is not supported; leave it out or send {allowed}")

    def __call__(self, name: str, kind: Any, default: Any = NoReturn) -> Any:
        """A value, which must be of the type `kind`; required unless there is a default."""
        value = self._values.get(name, default)
        if value is NoReturn:
            raise _invalid(name, "is required")
        if name in self._values and (
            not isinstance(value, kind) or (value is True) > (kind is bool)
        ):
            expected = getattr(kind, "__name__", str(kind))
            raise _invalid(name, f"must be of type {expected}, got {type(value).__name__}")
        return value


def _invalid(name: str, problem: str) -> EndpointError:
    return EndpointError(400, f"{name} {problem}.", name)


def _stops(stop: str | list[Any], ids: list[Any]) -> tuple[list[str], list[int]]:
    """Stop texts and stop tokens, of which the API takes only one kind."""
    texts = [stop] if isinstance(stop, str) else stop
    if _are_tokens(texts):
        texts, ids = [], [*texts, *ids]
    if not all(isinstance(text, str) and text for text in texts):
        raise _invalid("stop", "must be a text, a list of texts, or a list of token ids")
    if not _are_tokens(ids):
        raise _invalid("stop_token_ids", "must be a list of token ids")
    if texts and ids:
        raise _invalid("stop_token_ids", "cannot be combined with texts in stop")
    return texts, ids


def _are_tokens(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _prompts(value: str | list[Any]) -> list[str | list[int]]:
    prompts: list[Any] = [value] if isinstance(value, str) or _are_tokens(value) else value
    if not all(prompt and (isinstance(prompt, str) or _are_tokens(prompt)) for prompt in prompts):
        raise _invalid("prompt", "must be a text, a list of token ids, or a list of these")
    return prompts


def _messages(values: list[Any]) -> list[dict[str, Any]]:
    """The messages with their content as text, for the chat template of a tokenizer."""
    messages: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        where = f"messages[{index}]"
        if not isinstance(value, dict) or not isinstance(value.get("role"), str):
            raise _invalid(where, "must be an object with a role and a content")
        content = value.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        texts: list[Any] = [isinstance(part, dict) and part.get("text") for part in parts]
        if not all(isinstance(text, str) for text in texts):
            raise _invalid(f"{where}.content", "must be a text or a list of text parts")
        messages.append({**value, "content": "".join(texts)})
    if not messages:
        raise _invalid("messages", "must not be empty")
    return messages


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
