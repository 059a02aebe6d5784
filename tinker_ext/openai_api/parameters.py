"""Request bodies, parsed and checked."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, NoReturn

from attrs import frozen

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
