"""`tinker-ext doctor`: which settings are in force, and whether the server they lead to answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, fields, frozen

from tinker_ext.auth import NO_RETRIES
from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError, describe
from tinker_ext.cli.output import View, show
from tinker_ext.cli.text import NOTHING
from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.config.parsers import without_credentials
from tinker_ext.errors import APIConnectionError, ConfigurationError, NotFoundError, TinkerError
from tinker_ext.private_files import is_shared
from tinker_ext.redaction.secret import Secret
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attrs import Attribute

    from tinker_ext import ServiceClient


# The file comes before the folder.
_CERTIFICATES = ("ssl_cert_file", "ssl_cert_dir")


@frozen
class Setting:
    """A field of the configuration as it may be shown, and where it came from."""

    name: str
    value: str
    source: str


@frozen
class Check:
    """A question put to the server, its answer, and the seconds until then."""

    name: str
    ok: bool
    found: str
    seconds: float


@click.command()
@format_option
@click.pass_obj
def doctor(context: CommandContext) -> None:
    """Show the configuration and try the server it leads to."""
    config = ClientConfig.resolve(require_key=False, **context.settings)
    settings, network = list(_settings(config)), list(_network(config))
    checks = _checks(context)
    record = {
        "version": __version__,
        "configuration": [asdict(setting) for setting in settings],
        "network": [asdict(setting) for setting in network],
        "checks": [asdict(check) for check in checks],
        "warnings": list(_warnings()),
    }
    views = (_settings_view(settings + network), _checks_view(checks))
    show(context.format, record, *views, *(f"Warning: {text}" for text in record["warnings"]))
    if not checks[-1].ok:
        raise CommandError(f"{checks[-1].name}: {checks[-1].found}")


def _settings(config: ClientConfig) -> Iterator[Setting]:
    for field in fields(ClientConfig):
        if field.name in config.sources:
            shown = _shown(getattr(config, field.name), field)
            yield Setting(field.name, shown, config.sources[field.name])


def _warnings() -> Iterator[str]:
    """Problems that do not keep a client from working."""
    stored = credentials_file.CREDENTIALS_FILE
    if is_shared(stored.expanduser()):
        yield f"other users can read the keys in {stored}: chmod 600 {stored}"


def _network(config: ClientConfig) -> Iterator[Setting]:
    """What the environment says of proxies, and which certificates are trusted."""
    rules = config.proxy_rules
    for scheme, proxy in rules.proxies.items():
        yield Setting(f"proxy for {scheme}", without_credentials(proxy.url), proxy.source)
    if rules.no_proxy:
        yield Setting("no proxy for", ", ".join(rules.no_proxy), "environment NO_PROXY")
    named = next((name for name in _CERTIFICATES if getattr(config, name)), None)
    if named is None:
        yield Setting("certificates", "the system's and certifi's", "default")
    else:
        yield Setting("certificates", str(getattr(config, named)), config.sources[named])


def _shown(value: Any, field: Attribute[Any]) -> str:
    if isinstance(value, Secret):
        return value.masked
    if value is None or (isinstance(value, Sized) and not value):
        return NOTHING
    if callable(field.repr):  # the configuration hides a part of this one
        return field.repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _checks(context: CommandContext) -> list[Check]:
    try:
        with context.service(retry_window=NO_RETRIES) as service:
            return list(_ask_in_turn(service))
    except ConfigurationError as error:  # a missing key: there is nothing to ask with
        return [Check("Configuration", False, describe(error), 0.0)]


def _ask_in_turn(service: ServiceClient) -> Iterator[Check]:
    """One question after the other; the first refusal ends it."""
    rest = service.create_rest_client()
    questions: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Server", lambda: _models(service)),
        ("Dialect", lambda: str(service.server_protocol)),
        ("Key", lambda: _key(lambda: rest.list_training_runs(limit=1).result())),
        ("Round trip", lambda: _models(service)),
    )
    for name, ask in questions:
        started = time.perf_counter()
        try:
            found, ok = ask(), True
        except APIConnectionError as error:
            # The advice that other commands give here is to run this one.
            found, ok = f"{error.message}: does it run, and is base_url right?", False
        except TinkerError as error:
            found, ok = describe(error), False
        yield Check(name, ok, found, round(time.perf_counter() - started, 4))
        if not ok:
            return


def _models(service: ServiceClient) -> str:
    offered = service.get_server_capabilities().supported_models
    names = ", ".join(model.model_name or "without a name" for model in offered)
    return f"answers, offers {names or 'no models'}"


def _key(list_runs: Callable[[], object]) -> str:
    """Capabilities answer without a key on some servers; a list of one's own runs does not."""
    try:
        list_runs()
    except NotFoundError:
        return "not tried: this server keeps no list of runs"
    return "accepted"


def _settings_view(settings: list[Setting]) -> View:
    return View(
        title=f"Configuration of tinker-ext {__version__}",
        columns=("Setting", "Value", "From"),
        rows=[(setting.name, setting.value, setting.source) for setting in settings],
    )


def _checks_view(checks: list[Check]) -> View:
    return View(
        title="Checks",
        columns=("Check", "Result", "Found", "Time"),
        rows=[
            (
                check.name,
                "ok" if check.ok else "failed",
                check.found,
                f"{check.seconds * 1e3:.1f} ms",
            )
            for check in checks
        ],
    )
