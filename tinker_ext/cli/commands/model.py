"""`tinker-ext model`: what can be trained and sampled from."""

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
    """List base models; with SUBSTRING those that have it in their name."""
    with context.service() as service:
        offered = service.get_server_capabilities().supported_models
    wanted = (substring or "").lower()
    found = [one for one in offered if wanted in (one.model_name or "").lower()]
    view = View(
        title=count_title(len(found), "model"),
        columns=("Model", "Context length", "Trainable", "Sampleable"),
        rows=[
            (
                one.model_name or NOTHING,
                NOTHING if one.max_context_length is None else str(one.max_context_length),
                yes_or_no(one.trainable),
                yes_or_no(one.sampleable),
            )
            for one in found
        ],
    )
    show(context.format, {"models": found}, view)
