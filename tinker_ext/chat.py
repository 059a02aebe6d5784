"""Conversations as training data: the chat template of a tokenizer, and which turns are trained.

    from tinker_ext import chat

    tokenizer = training.get_tokenizer()
    data = chat.load("train.jsonl", tokenizer, train_on="all")

Each line of the file is a conversation, as OpenAI's fine-tuning takes it:

    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}

An assistant message with ``"weight": 0`` is not trained, nor are messages of other roles. The keys
``tools``, ``documents`` and ``chat_template_kwargs`` of a conversation are passed to the template,
other keys are ignored.

A trained turn begins where sampling would begin, after the template's generation prompt, and ends
with the token that ends the turn. Each turn is tokenized on its own, as in sampling, so that a
token never contains both the end of the prompt and the beginning of the reply.
"""

from __future__ import annotations

import importlib.util
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.errors import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message: TypeAlias = Mapping[str, Any]
#: Train all turns of the assistant, or only the last message, which must be the assistant's.
TrainOn: TypeAlias = Literal["all", "last"]


@frozen
class Conversation:
    """Messages, and other arguments of the chat template.

    Attributes:
        messages: dicts with ``role`` and ``content``.
        options: arguments such as ``tools`` and ``enable_thinking``.
        where: the place of the conversation for error messages, such as ``train.jsonl line 3``.
    """

    messages: Sequence[Message]
    options: Mapping[str, Any] = field(factory=dict)
    where: str = "messages"


@frozen
class Rendered:
    """The tokens of a conversation, and the weight of each in the loss (0 or 1)."""

    tokens: list[int]
    weights: list[float]

    def to_datum(self) -> types.Datum:
        """A datum for `cross_entropy`: each token but the last predicts the next one."""
        return types.Datum(
            model_input=types.ModelInput.from_ints(self.tokens[:-1]),
            loss_fn_inputs={"target_tokens": self.tokens[1:], "weights": self.weights[1:]},
        )


def load(
    path: str | PathLike[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    train_on: TrainOn = "all",
    max_tokens: int | None = None,
    truncate: bool = False,
) -> list[types.Datum]:
    """The datums of a JSONL file of conversations.

    Args:
        path: the file.
        tokenizer: the model's tokenizer, such as `training.get_tokenizer()` returns.
        train_on: all turns of the assistant, or only the last one.
        max_tokens: the longest conversation allowed.
        truncate: cut longer conversations off at `max_tokens` instead of raising an error.

    Raises:
        InvalidInputError: a line is not a conversation, has no trained token, or is too long; or
            the template can't render it. The message names the line.
        ConfigurationError: the tokenizer has no chat template, or jinja2 is not installed.
    """
    if max_tokens is not None:
        check_int(max_tokens, 1, "max_tokens")
    data = []
    for conversation in read_conversations(path):
        rendered = render(conversation, tokenizer, train_on=train_on)
        is_trained = any(rendered.weights[1:])
        if max_tokens is not None and len(rendered.tokens) > max_tokens:
            if not truncate:
                raise InvalidInputError(
                    f"has {len(rendered.tokens)} tokens, more than max_tokens={max_tokens}; pass "
                    "truncate=True to cut it off",
                    where=conversation.where,
                )
            rendered = Rendered(rendered.tokens[:max_tokens], rendered.weights[:max_tokens])
        if not any(rendered.weights[1:]):
            why = _why_untrained(conversation, max_tokens if is_trained else None)
            raise InvalidInputError(f"no token of it is trained: {why}", where=conversation.where)
        data.append(rendered.to_datum())
    return data


def _why_untrained(conversation: Conversation, max_tokens: int | None) -> str:
    """The cause; `max_tokens` is the limit that cut off the trained tokens, if there were any."""
    if max_tokens is not None:
        return f"max_tokens={max_tokens} cuts off all trained tokens"
    roles = [str(message.get("role")) for message in conversation.messages]
    if "assistant" not in roles:
        names = ", ".join(dict.fromkeys(roles))
        return f"no message has the role 'assistant' (roles: {names or 'none'})"
    return "its turns of the assistant are empty or have the weight 0"


def read_conversations(path: str | PathLike[str]) -> Iterator[Conversation]:
    """Read a JSONL file in UTF-8 with a conversation per line; empty lines are skipped.

    A line is an object with ``messages``, or the list of messages itself.

    Raises:
        InvalidInputError: a line is neither; the message names it.
    """
    file = Path(path)
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)  # Editors of Windows write it.
            if line.strip():
                yield _read_conversation(line, f"{file.name} line {number}")


def _read_conversation(line: bytes, where: str) -> Conversation:
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"not UTF-8: {error}", where=where) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"not JSON: {error}", where=where) from None
    if isinstance(record, list):
        record = {"messages": record}
    if not isinstance(record, dict) or "messages" not in record:
        raise InvalidInputError("expected an object with the key 'messages'", where=where)
    options = {name: record[name] for name in ("tools", "documents") if record.get(name)}
    more = record.get("chat_template_kwargs") or {}
    if not isinstance(more, dict):
        raise InvalidInputError("expected an object", where=f"{where}, chat_template_kwargs")
    options |= more
    return Conversation(_check_messages(record["messages"], where), options, where)


def _check_messages(messages: object, where: str) -> Sequence[Message]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise InvalidInputError("expected a list of messages", where=where)
    for index, message in enumerate(messages):
        place = f"{where}, messages[{index}]"
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidInputError("expected an object with the key 'role'", where=place)
        if message.get("weight", 1) not in (0, 1):
            raise InvalidInputError(
                f"expected the weight 0 or 1, got {message['weight']!r}", where=place
            )
        content = message.get("content")
        if isinstance(content, list) and any(_part_type(part) != "text" for part in content):
            raise InvalidInputError("only parts of type 'text' are supported", where=place)
    return messages


def _part_type(part: object) -> object:
    return part.get("type") if isinstance(part, Mapping) else "text"


def render(
    conversation: Conversation | Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    *,
    train_on: TrainOn = "all",
) -> Rendered:
    """The tokens of a conversation, with a weight of 1 for those of trained turns.

    Raises:
        InvalidInputError: the template can't render the messages, or it renders an earlier turn
            differently once later messages follow, as templates do that drop earlier reasoning.
            Then train on the last turn, with one conversation per turn.
        ConfigurationError: the tokenizer has no chat template, or jinja2 is not installed.
    """
    if train_on not in ("all", "last"):
        raise InvalidInputError(f"expected 'all' or 'last', got {train_on!r}", where="train_on")
    if not isinstance(conversation, Conversation):
        conversation = Conversation(_check_messages(conversation, "messages"))
    template = _Template(tokenizer, conversation)
    text = template.render(len(conversation.messages))
    tokens: list[int] = []
    weights: list[float] = []
    done = 0
    for start, end in template.trained_spans(text, train_on):
        for part, weight in [(text[done:start], 0.0), (text[start:end], 1.0)]:
            ids = template.encode(part)
            tokens += ids
            weights += [weight] * len(ids)
        done = end
    rest = template.encode(text[done:])
    return Rendered(tokens + rest, weights + [0.0] * len(rest))


def prompt(
    conversation: Conversation | Sequence[Message], tokenizer: PreTrainedTokenizerBase
) -> types.ModelInput:
    """The prompt for the next turn of the assistant, to sample from.

    Raises:
        InvalidInputError, ConfigurationError: as `render`.
    """
    if not isinstance(conversation, Conversation):
        conversation = Conversation(_check_messages(conversation, "messages"))
    template = _Template(tokenizer, conversation)
    text = template.render(len(conversation.messages), generation_prompt=True)
    return types.ModelInput.from_ints(template.encode(text))


def _check_text(text: str, where: str) -> str:
    """Rejects halves of a character, which JSON can escape and tokenizers don't accept."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{text[error.start]!r} is half of a character (a lone surrogate)", where=where
        ) from None
    return text


class _Template:
    """The chat template of a tokenizer, for one conversation."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigurationError(
                "the tokenizer has no chat template; set tokenizer.chat_template to that of the "
                "model's instruct variant, or to your own"
            )
        self._tokenizer = tokenizer
        self._options = dict(conversation.options)
        self._where = conversation.where
        self._messages = [
            {key: value for key, value in message.items() if key != "weight"}
            for message in conversation.messages
        ]
        self._trained = [
            message["role"] == "assistant" and message.get("weight", 1) == 1
            for message in conversation.messages
        ]

    def render(self, count: int, *, generation_prompt: bool = False) -> str:
        """The text of the first `count` messages."""
        if count == 0 and not generation_prompt:
            return ""
        try:
            text = self._tokenizer.apply_chat_template(
                self._messages[:count],
                tokenize=False,
                add_generation_prompt=generation_prompt,
                **self._options,
            )
        except ImportError as error:
            if importlib.util.find_spec("jinja2") is not None:
                raise ConfigurationError(f"the chat template can't be rendered: {error}") from error
            raise ConfigurationError("chat templates need jinja2: pip install jinja2") from None
        except Exception as error:  # The exceptions of templates are jinja's and any other.
            raise InvalidInputError(
                f"the chat template rejects the first {count} messages: {error}", where=self._where
            ) from error
        return _check_text(str(text), self._where)

    def trained_spans(self, text: str, train_on: TrainOn) -> Iterator[tuple[int, int]]:
        """Where the trained turns begin and end in the text of the conversation."""
        last = len(self._messages) - 1
        for index, trained in enumerate(self._trained):
            if not trained or (train_on == "last" and index != last):
                continue
            prompt = self.render(index, generation_prompt=True)
            turn = text if index == last else self.render(index + 1)
            if not (text.startswith(turn) and turn.startswith(prompt)):
                raise InvalidInputError(
                    f"the chat template renders messages[{index}] differently as part of the whole "
                    "conversation than when it is sampled; use train_on='last' with one "
                    "conversation per turn",
                    where=self._where,
                )
            yield len(prompt), len(prompt) + self._length_of_turn(turn[len(prompt) :])

    def _length_of_turn(self, turn: str) -> int:
        """Without white space behind the token that ends the turn, which is never sampled."""
        stripped = turn.rstrip()
        ends = any(stripped.endswith(token) for token in self._tokenizer.all_special_tokens)
        return len(stripped) if ends else len(turn)

    def encode(self, text: str) -> list[int]:
        """The token ids of a part, without the special tokens that a tokenizer adds to texts."""
        return list(self._tokenizer.encode(text, add_special_tokens=False)) if text else []
