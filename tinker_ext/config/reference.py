"""A description of every setting: its meaning, unit, default and environment variables.

`tinker-ext doctor` shows the variables, and docs/configuration.md is produced from this module.
Names, variables and defaults are those of `ClientConfig`; the rest is here.
"""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from tinker_ext.config.client_config import settings


class _Text(NamedTuple):
    """The meaning and unit of a setting, and its default if it is not a plain value."""

    meaning: str
    unit: str = ""
    default: str | None = None


_TEXTS = {
    "api_key": _Text(
        "The API key. The embedded backend needs none.",
        default="the output of `credential_cmd`, else the key stored by `tinker-ext auth login`",
    ),
    "credential_cmd": _Text(
        "A shell command that prints a key; used if there is no API key, or if the server accepts "
        "only short-lived keys."
    ),
    "base_url": _Text("The URL of the server, or `embedded`.", default="the hosted service"),
    "project_id": _Text("The project of new sessions."),
    "embedded_dir": _Text(
        "The folder for the state of the embedded backend.",
        default="a temporary folder, deleted at the end",
    ),
    "cf_access_client_id": _Text("The id of a Cloudflare Access service token."),
    "cf_access_client_secret": _Text("The secret of that token."),
    "tags": _Text("Tags of new sessions.", "list of text"),
    "user_metadata": _Text("Data that is stored with new sessions.", "mapping of text to text"),
    "display_name": _Text("The displayed name of new sessions."),
    "default_headers": _Text("Additional headers of every request.", "mapping of text to text"),
    "proxy": _Text(
        "The proxy. The argument applies to all requests, the variables by their usual rules "
        "([details](faults.md#certificates-and-proxies)).",
        "URL",
        "on macOS and Windows the system's proxy, else none",
    ),
    "ssl_cert_file": _Text(
        "A PEM file with certificate authorities, instead of the default.",
        default="the certificates of the system and of certifi",
    ),
    "ssl_cert_dir": _Text(
        "A folder with certificate authorities, hashed by OpenSSL. The file takes precedence.",
        default="the same",
    ),
    "http_transport": _Text(
        "The HTTP transport: `asyncio` or `httpcore` ([comparison](performance.md))."
    ),
    "timeout": _Text("Time limit of one read or write of a request.", "seconds"),
    "connect_timeout": _Text("Time limit of opening a connection.", "seconds"),
    "retry_window": _Text("Time limit of all attempts of one call.", "seconds"),
    "max_retries": _Text(
        "Attempts after the first one; 0 disables retries.",
        default="as many as fit in the window",
    ),
    "circuit_failures": _Text(
        "Failed attempts in a row after which requests fail at once "
        "([circuit breaker](faults.md#circuit-breaker)).",
        default="none: no circuit breaker",
    ),
    "circuit_cooldown": _Text("Time from then to the next request that is sent.", "seconds"),
    "billing_window": _Text("Time limit of all attempts while the account cannot pay.", "seconds"),
    "future_timeout": _Text(
        "Time limit from the submission of a request to its result.", "seconds"
    ),
    "archive_timeout": _Text("Time limit of waiting for the archive of a checkpoint.", "seconds"),
    "heartbeat_interval": _Text("Time between two heartbeats of a session.", "seconds"),
    "max_samples_in_flight": _Text("Samples between submission and result."),
    "max_training_bytes_in_flight": _Text("Size of the training requests being sent.", "bytes"),
    "max_response_bytes": _Text("Maximum size of one response, decompressed.", "bytes"),
    "telemetry": _Text("Whether telemetry events are sent to the server.", "switch"),
    "trace_file": _Text(
        "The file to which the process writes its spans ([tracing](observability.md))."
    ),
    "trace_detail": _Text(
        "Operations that are recorded in detail, besides the first 100.", "per second"
    ),
    "trace_headers": _Text(
        "Whether requests within a trace have a `traceparent` header.", "switch"
    ),
    "log_level": _Text(
        "The log level: debug, info, warning, error or critical.",
        default="the logging configuration of the program",
    ),
    "feature_gates": _Text("Names that release 0.4.1 reads; without effect here.", "list of text"),
}

#: Variables that `ClientConfig` does not read by their name: urllib's rules apply.
_OTHER_VARIABLES = {"proxy": ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")}


@frozen
class SettingDescription:
    """One setting of `ClientConfig`, for documents and `tinker-ext doctor`."""

    name: str
    variables: tuple[str, ...]
    meaning: str
    unit: str
    default: str


def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings, in the order of `ClientConfig`. One without a text here has no meaning."""
    return tuple(_describe(name, default, variable) for name, default, variable in settings())


def _describe(name: str, default: object, variable: str | None) -> SettingDescription:
    text = _TEXTS.get(name, _Text(""))
    variables = _OTHER_VARIABLES.get(name, (variable,) if variable else ())
    shown = _display(default) if text.default is None else text.default
    return SettingDescription(name, variables, text.meaning, text.unit, shown)


def _display(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, int | float):
        return f"{default:,.0f}" if default == int(default) else str(default)
    if isinstance(default, str):
        return f"`{default}`"
    if isinstance(default, tuple):
        return ", ".join(f"`{item}`" for item in default) or "none"
    return "none"  # None, or an empty mapping.
