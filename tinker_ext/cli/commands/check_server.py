"""`tinker-ext check-server`: runs every operation on a server and reports the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tinker_ext.cli.context import CommandContext, Format, pass_context
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import NOTHING, View, one_line, show
from tinker_ext.config import ClientConfig
from tinker_ext.config.parsers import without_credentials
from tinker_ext.server_check import ALL, CheckedServer
from tinker_ext.server_check.runner import (
    STEP_TIMEOUT,
    Ending,
    Outcome,
    by_capability,
    grade,
    is_compatible,
    missing_operations,
    problems,
)


@click.command("check-server")
@click.argument("url")
@click.option("--model", help="Base model to train (default: the first that the server offers).")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=STEP_TIMEOUT,
    show_default=True,
    help="Seconds after which a step is abandoned.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Header of every request; {key} in the value stands for the API key. Repeatable.",
)
@click.option("-v", "--verbose", is_flag=True, help="Report each step on standard error.")
@pass_context
def check_server(
    context: CommandContext,
    url: str,
    model: str | None,
    timeout: float,
    headers: tuple[str, ...],
    verbose: bool,
) -> None:
    """Train, sample, save and list on the server at URL, and report the results.

    The key is read from TINKER_API_KEY or the stored login, other settings from the environment
    (`tinker-ext doctor` shows them). The check takes minutes, creates a few models and checkpoints,
    and deletes the checkpoints that it can. On a hosted service, it is billed.

    The exit status is 0 if every step works or is an operation that the server does not have, and 1
    if a step fails, hangs or has a wrong result.
    """
    settings = {"base_url": url, "default_headers": _parsed(headers, url)}
    server = CheckedServer(model or _first_model(context, settings), settings)
    outcomes = _run(server, timeout=timeout, verbose=verbose)
    _show(context.format, url, server.model, outcomes)
    if not is_compatible(outcomes):
        raise CommandError("the check found problems, see above")


def _parsed(headers: tuple[str, ...], url: str) -> dict[str, str]:
    """The headers by name. Keys do not belong on the command line, where other users see them."""
    if not headers:
        return {}
    key = ClientConfig.resolve(base_url=url).api_key
    secret = "" if key is None else key.reveal()
    pairs = [header.partition(":") for header in headers]
    if not all(name.strip() and colon for name, colon, _ in pairs):
        raise click.BadParameter("expected 'NAME: VALUE'", param_hint="--header")
    return {name.strip(): value.strip().replace("{key}", secret) for name, _, value in pairs}


def _first_model(context: CommandContext, settings: dict[str, Any]) -> str:
    """The first base model that can be trained; fails at once if the server does not respond."""
    with context.opener(**settings) as service:
        models = service.get_server_capabilities().supported_models
    names = [item.model_name for item in models if item.model_name and item.trainable is not False]
    if not names:
        raise CommandError("the server lists no base model; name one with --model")
    return names[0]


def _run(server: CheckedServer, *, timeout: float, verbose: bool) -> list[Outcome]:
    count = 0

    def report(outcome: Outcome) -> None:
        nonlocal count
        count += 1
        if verbose:
            seconds = f"{outcome.seconds:.1f} s"
            detail = one_line(outcome.detail)
            line = f"{count}/{len(ALL)} {outcome.title}: {outcome.ending} ({seconds}) {detail}"
            click.echo(line.rstrip(), err=True)

    return ALL.run(server, report, timeout=timeout)


def _show(output_format: Format, url: str, model: str, outcomes: Sequence[Outcome]) -> None:
    groups = by_capability(outcomes, ALL.capabilities)
    protocol = next((item.detail for item in outcomes if item.name == "protocol"), "")
    missing = missing_operations(outcomes)
    record: dict[str, Any] = {
        "base_url": without_credentials(url),
        "model": model,
        "protocol": protocol,
        "compatible": is_compatible(outcomes),
        "capabilities": {capability: grade(items) for capability, items in groups.items()},
        "missing": missing,
        "problems": problems(outcomes),
        "steps": [
            {
                "capability": capability,
                "step": item.title,
                "ending": item.ending,
                "seconds": round(item.seconds, 2),
                "detail": item.detail,
                "reason": item.reason,
            }
            for capability, items in groups.items()
            for item in items
        ],
    }
    steps = View(
        title=f"Steps on {without_credentials(url)} with {model}",
        columns=("Capability", "Step", "Result", "Seconds", "Detail"),
        rows=[
            (capability, item.title, item.ending, f"{item.seconds:.1f}", _detail(item))
            for capability, items in groups.items()
            for item in items
        ],
    )
    summary = View(
        title="Summary",
        columns=("Capability", "Works"),
        rows=[(capability, grade(items)) for capability, items in groups.items()],
    )
    lines = (
        f"Protocol: {protocol or NOTHING}",
        f"Operations that the server does not have: {', '.join(missing) or 'none'}",
        f"Failed steps: {record['problems'] or 'none'}",
    )
    show(output_format, record, steps, summary, *lines)


def _detail(outcome: Outcome) -> str:
    if outcome.ending is Ending.OK and "Error" in outcome.detail:
        return ""  # The expected error of a deliberate mistake; --verbose and JSON have it.
    return one_line(outcome.reason or outcome.detail)
