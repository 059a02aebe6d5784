"""`tinker-ext model`: the base models of the server."""

from __future__ import annotations

import click

from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.output import View, show
from tinker_ext.cli.text import NOTHING, count_title, yes_or_no


@click.group()
def model() -> None:
    """List the base models of the server."""


@model.command("list")
@click.argument("substring", required=False)
@format_option
@click.pass_obj
def list_models(context: CommandContext, substring: str | None) -> None:
    """List base models, or only those whose name contains SUBSTRING."""
    with context.service() as service:
        models = service.get_server_capabilities().supported_models
    pattern = (substring or "").lower()
    matches = [model for model in models if pattern in (model.model_name or "").lower()]
    view = View(
        title=count_title(len(matches), "model"),
        columns=("Model", "Context length", "Trainable", "Sampleable"),
        rows=[
            (
                model.model_name or NOTHING,
                NOTHING if model.max_context_length is None else str(model.max_context_length),
                yes_or_no(model.trainable),
                yes_or_no(model.sampleable),
            )
            for model in matches
        ],
    )
    show(context.format, {"models": matches}, view)
