"""Request bodies that are rejected, and the parameter that the error names."""

from __future__ import annotations

from typing import Any

import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.openai_api.bodies import parse
from tinker_ext.openai_api.errors import EndpointError

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TEXT = {"model": "m", "prompt": "hi"}


@pytest.mark.parametrize(
    ("chat", "change", "param", "message"),
    [
        (True, {"messages": None}, "messages", "is required"),
        (True, {"messages": []}, "messages", "must not be empty"),
        (True, {"messages": ["hi"]}, "messages[0]", "a role and a content"),
        (True, {"messages": [{"role": "user"}]}, "messages[0].content", "list of text parts"),
        (
            True,
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "list of text parts",
        ),
        (True, {"model": None}, "model", "is required"),
        (True, {"top_logprobs": 21, "logprobs": True}, "top_logprobs", "between 0 and 20"),
        (True, {"n": 0}, "n", "between 1 and 128"),
        (True, {"n": True}, "n", "must be of type int, got bool"),
        (True, {"stream": 1}, "stream", "must be of type bool, got int"),
        (True, {"temprature": 1}, "temprature", "did you mean temperature?"),
        (True, {"prompt": "hi"}, "prompt", "is not a parameter of this operation"),
        (True, {"tools": [{"type": "function"}]}, "tools", "is not supported; leave it out"),
        (True, {"frequency_penalty": 0.5}, "frequency_penalty", "or send 0"),
        (True, {"max_tokens": 0}, "max_tokens", "must be positive"),
        (True, {"stop": ["a", 1]}, "stop", "a list of texts, or a list of token ids"),
        (True, {"stop": [""]}, "stop", "a list of texts"),
        (True, {"stop_token_ids": ["a"]}, "stop_token_ids", "list of token ids"),
        (True, {"stop": "a", "stop_token_ids": [1]}, "stop_token_ids", "cannot be combined"),
        (
            True,
            {"chat_template_kwargs": {"chat_template": "{{ messages }}"}},
            "chat_template_kwargs",
            "must not contain chat_template",
        ),
        (True, {"chat_template_kwargs": {"tokenize": True}}, "chat_template_kwargs", "tokenize"),
        (True, {"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs", "messages"),
        (False, {"prompt": [""]}, "prompt", "a list of token ids"),
        (False, {"prompt": []}, "prompt", "a list of token ids"),
        (False, {"prompt": ["a", {}]}, "prompt", "a list of token ids"),
        (False, {"logprobs": True}, "logprobs", "must be of type int, got bool"),
        (False, {"max_tokens": 0}, "max_tokens", "except with echo"),
    ],
)
def test_invalid_body_names_parameter(
    chat: bool, change: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(EndpointError) as caught:
        parse({**(CHAT if chat else TEXT), **change}, chat=chat)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert message in caught.value.message


def test_sampling_parameter_out_of_range_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({**TEXT, "top_p": 2}, chat=False)
    assert caught.value.where == "top_p"


def test_body_that_is_not_an_object_is_rejected() -> None:
    with pytest.raises(EndpointError, match="must be a JSON object"):
        parse([], chat=True)


def test_parameters_without_effect_are_accepted() -> None:
    harmless = {"frequency_penalty": 0.0, "tools": [], "user": "me", "logit_bias": None}
    assert parse({**CHAT, **harmless}, chat=True) == parse(CHAT, chat=True)


def test_completions_default_to_sixteen_tokens_and_chats_to_no_limit() -> None:
    assert parse(TEXT, chat=False).params.max_tokens == 16
    assert parse(CHAT, chat=True).params.max_tokens is None
    limited = parse({**CHAT, "max_tokens": 4, "max_completion_tokens": 5}, chat=True)
    assert limited.params.max_tokens == 5


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_prompt_may_be_texts_or_token_ids(prompt: object, prompts: list[object]) -> None:
    assert parse({**TEXT, "prompt": prompt}, chat=False).prompts == prompts


def test_stop_may_be_token_ids_in_either_parameter() -> None:
    spec = parse({**TEXT, "stop": [1], "stop_token_ids": [2]}, chat=False)
    assert (spec.stop_texts, spec.stop_tokens) == ([], [1, 2])


def test_parts_of_a_message_are_joined() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    spec = parse({**CHAT, "messages": [{"role": "user", "content": content}]}, chat=True)
    assert spec.messages == [{"role": "user", "content": "ab"}]
