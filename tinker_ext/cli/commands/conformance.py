"""`tinker-ext conformance`: grades a client in any language."""

from __future__ import annotations

import click

from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.testing.conformance import RULES, DriverError, Grade, Report, Verdict, grade
from tinker_ext.testing.conformance.grader import JOBS, STEP_TIMEOUT
from tinker_ext.testing.conformance.play import SCENARIOS
from tinker_ext.testing.conformance.server import PROTOCOLS


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("driver", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(PROTOCOLS),
    help="Protocol to grade (default: those that the driver names). Repeatable.",
)
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice(sorted(SCENARIOS)),
    metavar="NAME",
    help="Scenario to play (default: all). Repeatable.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=JOBS,
    show_default=True,
    help="Scenarios at a time; 1 for a driver that handles one step at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=STEP_TIMEOUT,
    show_default=True,
    help="Seconds after which a call counts as hanging.",
)
@click.option("-v", "--verbose", is_flag=True, help="Report each verdict on standard error.")
@pass_context
def conformance(
    context: CommandContext,
    driver: tuple[str, ...],
    protocols: tuple[str, ...],
    names: tuple[str, ...],
    jobs: int,
    timeout: float,
    verbose: bool,
) -> None:
    """Grade a client, in any language, by the rules of the porting guide.

    DRIVER is a command, after --, that performs steps with the client: one line of JSON per step
    and result. docs/conformance.md describes it. Each scenario has a server on this machine that
    responds with faults and records what the client sends. A run takes about half a minute, because
    heartbeats are ten seconds apart.

    Example: tinker-ext conformance -- python -m tinker_ext.testing.conformance.driver

    The exit status is 1 if the client breaks a rule of level "must".
    """

    def narrate(verdict: Verdict) -> None:
        if verbose:
            line = f"{verdict.rule} ({verdict.protocol}): {verdict.grade} {verdict.received}"
            click.echo(line, err=True)

    try:
        report = grade(
            driver, protocols=protocols, names=names, jobs=jobs, timeout=timeout, report=narrate
        )
    except (DriverError, OSError) as error:
        raise CommandError(f"the driver failed: {error}") from error
    _show(context, report)
    if not report.is_conformant:
        raise CommandError("the client breaks rules of level must")


def _show(context: CommandContext, report: Report) -> None:
    verdicts = View(
        title=f"Rules for {report.client}",
        columns=("Rule", "Protocol", "Level", "Grade"),
        rows=[
            (item.rule, item.protocol, RULES[item.rule].level, item.grade)
            for item in report.verdicts
        ],
    )
    failures = View(
        title="Not passed",
        columns=("Rule", "Protocol", "Scenario", "Expected", "Received", "Reference"),
        rows=[
            (
                *(item.rule, item.protocol, item.scenario),
                *(item.expected, item.received, RULES[item.rule].reference),
            )
            for item in report.verdicts
            if item.grade is not Grade.PASS
        ],
    )
    tables = (verdicts, failures) if failures.rows else (verdicts,)
    show(context.format, report.as_json(), *tables, report.totals)
