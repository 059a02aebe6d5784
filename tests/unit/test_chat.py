"""Conversations as datums: which tokens are trained, and the errors for other conversations."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinker_ext as tinker
from tinker_ext import chat
from tinker_ext.tokenizers import get_tokenizer

#: Ends turns with a special token and a line break, and has no mask of generated text.
CHATML = (
    "{% for m in messages %}<|pad|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|pad|>assistant\n{% endif %}"
)
#: Drops the reasoning of all turns but the last, as templates of reasoning models do.
REASONING = (
    "{% for m in messages %}{{ m.role }}:"
    "{% if m.role == 'assistant' and loop.last %}<think>{{ m.reasoning }}</think>{% endif %}"
    "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
MESSAGES = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you!"},
]


def tokenizer_with(template: str | None) -> Any:
    tokenizer = copy.deepcopy(get_tokenizer("embedded/tiny"))
    tokenizer.chat_template = template
    return tokenizer


def trained_parts(rendered: chat.Rendered, tokenizer: Any) -> list[str]:
    """The text of each run of trained tokens."""
    parts: list[list[int]] = [[]]
    for token, weight in zip(rendered.tokens, rendered.weights, strict=True):
        if weight:
            parts[-1].append(token)
        elif parts[-1]:
            parts.append([])
    return [tokenizer.decode(part) for part in parts if part]


def test_all_turns_of_the_assistant_are_trained_up_to_their_end_token() -> None:
    tokenizer = tokenizer_with(CHATML)
    rendered = chat.render(MESSAGES, tokenizer)
    assert trained_parts(rendered, tokenizer) == ["Hello!<|end|>", "See you!<|end|>"]
    assert tokenizer.decode(rendered.tokens) == tokenizer.apply_chat_template(
        MESSAGES, tokenize=False
    )


def test_tokens_of_the_packaged_template_are_those_of_the_whole_text() -> None:
    tokenizer: Any = get_tokenizer("embedded/tiny")
    rendered = chat.render(MESSAGES, tokenizer)
    whole = tokenizer.apply_chat_template(
        MESSAGES, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    assert rendered.tokens == whole["input_ids"]
    assert rendered.weights == whole["assistant_masks"]


def test_last_turn_only() -> None:
    tokenizer = tokenizer_with(CHATML)
    rendered = chat.render(MESSAGES, tokenizer, train_on="last")
    assert trained_parts(rendered, tokenizer) == ["See you!<|end|>"]
    assert trained_parts(chat.render(MESSAGES[:3], tokenizer, train_on="last"), tokenizer) == []


def test_message_with_weight_zero_is_not_trained_and_the_template_does_not_see_the_key() -> None:
    tokenizer = tokenizer_with(CHATML.replace("{{ m.role }}", "{{ m.role }}{{ m.weight }}"))
    messages: list[chat.Message] = [MESSAGES[0], {**MESSAGES[1], "weight": 0}, *MESSAGES[2:]]
    rendered = chat.render(messages, tokenizer)
    assert trained_parts(rendered, tokenizer) == ["See you!<|end|>"]
    assert "0" not in tokenizer.decode(rendered.tokens)


def test_datum_predicts_the_next_token() -> None:
    datum = chat.Rendered([1, 2, 3], [0.0, 1.0, 1.0]).to_datum()
    assert datum.model_input.to_ints() == [1, 2]
    assert datum.loss_fn_inputs["target_tokens"].tolist() == [2, 3]
    assert datum.loss_fn_inputs["weights"].tolist() == [1.0, 1.0]


def test_prompt_ends_with_the_generation_prompt_before_a_trained_turn() -> None:
    tokenizer = tokenizer_with(CHATML)
    tokens = chat.prompt(MESSAGES[:3], tokenizer).to_ints()
    rendered = chat.render(MESSAGES, tokenizer, train_on="last")
    assert tokens == rendered.tokens[: rendered.weights.index(1.0)]


def test_template_that_rewrites_earlier_turns_is_rejected_for_all_but_the_last() -> None:
    tokenizer = tokenizer_with(REASONING)
    messages = [{**message, "reasoning": "hm"} for message in MESSAGES]
    with pytest.raises(tinker.InvalidInputError, match=r"messages\[1\] differently.*'last'"):
        chat.render(messages, tokenizer)
    rendered = chat.render(messages, tokenizer, train_on="last")
    assert trained_parts(rendered, tokenizer) == ["<think>hm</think>See you!<|end|>"]


def write(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(map(json.dumps, records)) + "\n\n")
    return path


def test_load_reads_a_conversation_per_line(tmp_path: Path) -> None:
    tokenizer = tokenizer_with("{{ mood }}" + CHATML)
    file = write(
        tmp_path / "train.jsonl",
        {"messages": MESSAGES, "id": 7, "chat_template_kwargs": {"mood": "fine"}},
        MESSAGES[:2],
    )
    data = chat.load(file, tokenizer)
    assert len(data) == 2
    assert tokenizer.decode(data[0].model_input.to_ints()).startswith("fine<|pad|>user")
    assert np.sum(data[1].loss_fn_inputs["weights"].to_numpy()) == len("Hello!") + 1


def test_long_conversation_is_rejected_or_cut_off(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(CHATML)
    file = write(tmp_path / "train.jsonl", MESSAGES)
    with pytest.raises(tinker.InvalidInputError, match=r"train.jsonl line 1: has \d+ tokens"):
        chat.load(file, tokenizer, max_tokens=30)
    (datum,) = chat.load(file, tokenizer, max_tokens=30, truncate=True)
    assert datum.model_input.length == 29


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not JSON"),
        ('{"prompt": "x"}', "line 1: expected an object with the key 'messages'"),
        ("[]", "line 1: expected a list of messages"),
        ('[{"content": "x"}]', r"messages\[0\]: expected an object with the key 'role'"),
        ('[{"role": "user", "weight": 2}]', r"messages\[0\]: expected the weight 0 or 1, got 2"),
        (
            '[{"role": "user", "content": "x"}]',
            r"line 1: no token of it is trained: no message .* 'assistant' \(roles: user\)",
        ),
        (
            '[{"role": "assistant", "content": "x", "weight": 0}]',
            "line 1: no token of it is trained: its turns of the assistant are empty or have",
        ),
        (
            '[{"role": "user", "content": [{"type": "image"}]}]',
            r"messages\[0\]: only parts of type 'text'",
        ),
        ('{"messages": [{"role": "a"}], "chat_template_kwargs": 3}', "expected an object"),
        ("[" * 100_000, "line 1: not JSON"),
        (
            r'[{"role": "assistant", "content": "\ud83d"}]',
            r"line 1: '\\ud83d' is half of a character",
        ),
    ],
)
def test_line_that_is_not_a_conversation_is_rejected(
    tmp_path: Path, line: str, message: str
) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(line)
    with pytest.raises(tinker.InvalidInputError, match=message):
        chat.load(file, tokenizer_with(CHATML))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_file_in_another_encoding_is_rejected_with_its_line(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "train.jsonl"
    line = json.dumps([{"role": "assistant", "content": "Grüezi"}], ensure_ascii=False)
    file.write_bytes(line.encode(encoding))
    with pytest.raises(tinker.InvalidInputError, match=r"train\.jsonl line 1: not UTF-8"):
        chat.load(file, tokenizer_with(CHATML))


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(f"{json.dumps(MESSAGES)}\n{json.dumps(MESSAGES[:2])}\n", encoding="utf-8-sig")
    assert len(chat.load(file, tokenizer_with(CHATML))) == 2


@pytest.mark.parametrize("max_tokens", [0, -1, "30", 1.5])
def test_max_tokens_that_is_not_a_positive_integer_is_rejected(
    tmp_path: Path, max_tokens: Any
) -> None:
    file = write(tmp_path / "train.jsonl", MESSAGES)
    with pytest.raises(tinker.InvalidInputError, match="max_tokens: expected an integer"):
        chat.load(file, tokenizer_with(CHATML), max_tokens=max_tokens, truncate=True)


def test_error_of_the_template_names_the_conversation(tmp_path: Path) -> None:
    tokenizer = tokenizer_with("{{ raise_exception('roles must alternate') }}")
    file = write(tmp_path / "train.jsonl", MESSAGES)
    with pytest.raises(tinker.InvalidInputError, match=r"line 1: .*roles must alternate"):
        chat.load(file, tokenizer)


def test_tokenizer_without_template_is_rejected() -> None:
    with pytest.raises(tinker.ConfigurationError, match="has no chat template"):
        chat.render(MESSAGES, tokenizer_with(None))


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (False, "^chat templates need jinja2: pip install jinja2$"),
        (True, "can't be rendered: needs jinja2>=9"),
    ],
)
def test_missing_or_unusable_jinja2_is_named(
    monkeypatch: pytest.MonkeyPatch, installed: bool, message: str
) -> None:
    def fail(*args: object, **options: object) -> str:
        raise ImportError("needs jinja2>=9")

    tokenizer = tokenizer_with(CHATML)
    tokenizer.apply_chat_template = fail
    if not installed:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(tinker.ConfigurationError, match=message):
        chat.render(MESSAGES, tokenizer)


@pytest.mark.parametrize("messages", [[], "text", [3]])
def test_invalid_messages_are_rejected(messages: Sequence[Any]) -> None:
    with pytest.raises(tinker.InvalidInputError):
        chat.render(messages, tokenizer_with(CHATML))
    with pytest.raises(tinker.InvalidInputError, match="'all' or 'last'"):
        chat.render(MESSAGES, tokenizer_with(CHATML), train_on="first")  # type: ignore[arg-type]


def test_conversation_cut_off_before_its_trained_tokens_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]')
    with pytest.raises(tinker.InvalidInputError, match="max_tokens=2 cuts off all trained tokens"):
        chat.load(file, tokenizer_with(CHATML), max_tokens=2, truncate=True)
    file.write_text('[{"role": "assistant", "content": "x", "weight": 0}]')
    with pytest.raises(tinker.InvalidInputError, match="have the weight 0"):
        chat.load(file, tokenizer_with(CHATML), max_tokens=99)
