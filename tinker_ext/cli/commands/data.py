"""`tinker-ext data`: training data as the model sees it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.output import encodable, show

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinker_ext.chat import Rendered, TrainOn

#: Styles of rich of tokens that are trained and of others. They alternate to show where tokens end.
TRAINED = ("black on green", "black on bright_green")
UNTRAINED = ("dim", "dim underline")
#: Around trained tokens if the output has no colors.
MARKS = ("⟦", "⟧")
#: What to do about a tokenizer that can't be loaded.
TOKENIZER_HINT = (
    "Pass its folder, or another repository of the Hugging Face hub, with --tokenizer; the token "
    "ids are right only if it is the tokenizer of the model."
)


@click.group()
def data() -> None:
    """Show training data as the model sees it."""


@data.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--model", metavar="MODEL", required=True, help="The base model, whose tokenizer is used."
)
@click.option(
    "--tokenizer",
    "tokenizer_id",
    metavar="ID",
    help="A folder or a repository of the Hugging Face hub with another tokenizer.",
)
@click.option(
    "--train-on",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="Train all turns of the assistant, or only the last message.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of conversations to show.",
)
@pass_context
def preview(
    context: CommandContext,
    file: Path,
    model: str,
    tokenizer_id: str | None,
    train_on: TrainOn,
    limit: int,
) -> None:
    """Print the tokens of conversations, colored by their weight in the loss.

    FILE is a JSONL file with a conversation per line. Trained tokens have a green background; if
    the output has no colors, they are between ⟦ and ⟧.
    """
    from tinker_ext import chat
    from tinker_ext.errors import TinkerError
    from tinker_ext.tokenizers import get_tokenizer

    try:
        tokenizer = get_tokenizer(model, tokenizer_id)
    except TinkerError as error:
        error.hint = TOKENIZER_HINT
        raise
    shown = [
        (conversation.where, chat.render(conversation, tokenizer, train_on=train_on))
        for conversation in islice(chat.read_conversations(file), limit)
    ]
    if context.format == "json":
        show("json", {"conversations": [_record(*item, tokenizer) for item in shown]})
        return
    for where, rendered in shown:
        trained = sum(rendered.weights)
        show("table", None, f"{where}: {len(rendered.tokens)} tokens, {trained:g} trained")
        _print_tokens(rendered, tokenizer)


def _texts(rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return [str(tokenizer.decode([token])) for token in rendered.tokens]


def _record(where: str, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    texts = _texts(rendered, tokenizer)
    tokens = [
        {"id": token, "text": text, "weight": weight}
        for token, text, weight in zip(rendered.tokens, texts, rendered.weights, strict=True)
    ]
    return {"where": where, "trained": sum(rendered.weights), "tokens": tokens}


def _print_tokens(rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    colored = console.color_system is not None and not console.no_color
    text, was_trained = Text(), False
    pairs = zip(_texts(rendered, tokenizer), rendered.weights, strict=True)
    for position, (token, weight) in enumerate(pairs):
        trained = weight > 0
        if not colored and trained != was_trained:
            text.append(MARKS[0] if trained else MARKS[1])
        was_trained = trained
        # A line break has no width, so that its background would be invisible.
        shown = "".join(
            "⏎\n" if part == "\n" and trained else part if part == "\n" else encodable(part)
            for part in token
        )
        text.append(shown, style=(TRAINED if trained else UNTRAINED)[position % 2])
    if was_trained and not colored:
        text.append(MARKS[1])
    console.print(text, soft_wrap=True)
