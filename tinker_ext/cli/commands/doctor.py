"""`tinker-ext doctor`: shows the effective settings and checks that the server responds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

import click
from attrs import Attribute, asdict, fields, frozen

from tinker_ext.auth import NO_RETRIES
from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.error_reporting import CommandError, describe
from tinker_ext.cli.output import NOTHING, View, show
from tinker_ext.config import ClientConfig, credentials_file
from tinker_ext.config.parsers import without_credentials
from tinker_ext.config.reference import describe_settings
from tinker_ext.errors import APIConnectionError, ConfigurationError, NotFoundError, TinkerError
from tinker_ext.private_files import is_shared
from tinker_ext.redaction.secret import Secret
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from tinker_ext import ServiceClient


# In order of precedence.
_CERTIFICATES = ("ssl_cert_file", "ssl_cert_dir")


@frozen
class Setting:
    """A configuration field or a setting of the network with secrets masked, and its source."""

    name: str
    value: str
    source: str


@frozen
class Check:
    """A request to the server, its result, and its duration in seconds."""

    name: str
    ok: bool
    found: str
    seconds: float


@click.command()
@pass_context
def doctor(context: CommandContext) -> None:
    """Show the configuration and check the connection to the server."""
    config = ClientConfig.resolve(require_key=False, **context.settings)
    settings, network = list(_settings(config)), list(_network(config))
    variables = {setting.name: setting.variables for setting in describe_settings()}
    checks = _checks(context)
    record = {
        "version": __version__,
        "configuration": [
            {**asdict(setting), "variables": list(variables[setting.name])} for setting in settings
        ],
        "network": [asdict(setting) for setting in network],
        "checks": [asdict(check) for check in checks],
        "warnings": list(_warnings()),
    }
    views = (_settings_view(settings + network, variables), _checks_view(checks))
    show(context.format, record, *views, *(f"Warning: {text}" for text in record["warnings"]))
    if not checks[-1].ok:
        raise CommandError(f"the check `{checks[-1].name}` failed: {checks[-1].found}")


def _settings(config: ClientConfig) -> Iterator[Setting]:
    for field in fields(ClientConfig):
        if field.name in config.sources:
            value = _display(getattr(config, field.name), field)
            yield Setting(field.name, value, config.sources[field.name])


def _warnings() -> Iterator[str]:
    """Problems that do not prevent the client from working."""
    path = credentials_file.CREDENTIALS_FILE
    if is_shared(path.expanduser()):
        yield f"other users can read the keys in {path}; run: chmod 600 {path}"


def _network(config: ClientConfig) -> Iterator[Setting]:
    """The proxies of the environment and the trusted certificates."""
    rules = config.proxy_rules
    for scheme, proxy in rules.proxies.items():
        yield Setting(f"proxy for {scheme}", without_credentials(proxy.url), proxy.source)
    if rules.no_proxy:
        yield Setting("no proxy for", ", ".join(rules.no_proxy), "environment NO_PROXY")
    setting = next((name for name in _CERTIFICATES if getattr(config, name)), None)
    if setting is None:
        yield Setting("certificates", "the system's and certifi's", "default")
    else:
        yield Setting("certificates", str(getattr(config, setting)), config.sources[setting])


def _display(value: Any, field: Attribute[Any]) -> str:
    if isinstance(value, Secret):
        return value.masked
    if value is None or (isinstance(value, Sized) and not value):
        return NOTHING
    if callable(field.repr):  # The field masks a part of its value.
        return field.repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _checks(context: CommandContext) -> list[Check]:
    try:
        with context.service(retry_window=NO_RETRIES) as service:
            return list(_run_checks(service))
    except ConfigurationError as error:  # Such as a missing key: no request is possible.
        return [Check("Configuration", False, describe(error), 0.0)]


def _run_checks(service: ServiceClient) -> Iterator[Check]:
    """Run the checks in order, up to the first failure."""
    rest = service.create_rest_client()
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Server", lambda: _models(service)),
        ("Protocol", lambda: str(service.server_protocol)),
        ("Key", lambda: _key(lambda: rest.list_training_runs(limit=1).result())),
        ("Round trip", lambda: _models(service)),
    )
    for name, check in checks:
        started = time.perf_counter()
        try:
            found, ok = check(), True
        except APIConnectionError as error:
            # Other commands advise to run `doctor` here.
            advice = "check that the server is running and that base_url is correct"
            found, ok = f"{error.message}; {advice}", False
        except TinkerError as error:
            found, ok = describe(error), False
        yield Check(name, ok, found, round(time.perf_counter() - started, 4))
        if not ok:
            return


def _models(service: ServiceClient) -> str:
    models = service.get_server_capabilities().supported_models
    names = ", ".join(model.model_name or "unnamed" for model in models)
    return f"responds; models: {names or 'none'}"


def _key(list_runs: Callable[[], object]) -> str:
    """Check the key by listing runs: some servers return capabilities without a key."""
    try:
        list_runs()
    except NotFoundError:
        return "not checked: the server does not list training runs"
    return "accepted"


def _settings_view(settings: list[Setting], variables: Mapping[str, Sequence[str]]) -> View:
    return View(
        title=f"Configuration of tinker-ext {__version__}",
        columns=("Setting", "Value", "Source", "Environment variable"),
        rows=[
            (
                setting.name,
                setting.value,
                setting.source,
                ", ".join(variables.get(setting.name, ())) or NOTHING,
            )
            for setting in settings
        ],
    )


def _checks_view(checks: list[Check]) -> View:
    return View(
        title="Checks",
        columns=("Check", "Result", "Details", "Time"),
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
