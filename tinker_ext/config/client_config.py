"""The settings of a client, resolved once: argument over environment over default.

This is the only module that reads the environment. Each setting is one field of `ClientConfig`,
with its variable, its default and the source of that default; `tinker_ext.config.parsers` parses
values.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self, TypedDict, TypeVar

import attrs
from attrs import frozen

from tinker_ext.config import credentials_file, parsers
from tinker_ext.config.proxies import EnvironmentProxy, ProxyRules
from tinker_ext.errors import ConfigurationError
from tinker_ext.redaction.secret import HiddenValue, Secret

# ruff: noqa: RUF009 - _setting() returns an attrs field, not a default value.

#: The hosted service (0.4.1 _client.py).
DEFAULT_BASE_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"

_READER, _VARIABLE = "reader", "variable"
# Settings of the machine's network: another process reads them from its own environment.
_OF_THE_MACHINE = ("proxy", "ssl_cert_file", "ssl_cert_dir")


def hide_values(explicit: Mapping[str, object]) -> dict[str, Any]:
    """Wrap settings so that the frames they pass through don't show them.

    A traceback with variables would show them otherwise.
    """
    return {
        name: value
        if value is None or isinstance(value, Secret | HiddenValue)
        else HiddenValue(value)
        for name, value in explicit.items()
    }


def _setting(
    reader: parsers.Reader, default: Any, variable: str | None = None, *, show: Any = True
) -> Any:
    """One setting: its reader, its default, its environment variable, and how repr shows it."""
    metadata = {_READER: reader, _VARIABLE: variable}
    return attrs.field(default=default, repr=show, metadata=metadata)


@frozen(kw_only=True)
class ClientConfig:
    """The resolved settings of a client. Created by `ClientConfig.resolve`; times in seconds.

    >>> config = ClientConfig.resolve(base_url="embedded", tags=["first", "second"])
    >>> config.is_embedded, config.tags, config.sources["tags"]
    (True, ('first', 'second'), 'argument')
    """

    #: Any text that is valid in a header. The official client accepts only keys that start with
    #: "tml-" or "eyJ"; other servers issue other keys.
    api_key: Secret | None = _setting(parsers.read_secret, None, "TINKER_API_KEY")
    #: A shell command that prints a key (0.38.0); it may contain a secret. It runs whenever a new
    #: key is needed, if there is no `api_key` or the server accepts only short-lived keys.
    credential_cmd: Secret | None = _setting(parsers.read_command, None, "TINKER_CREDENTIAL_CMD")
    #: Without a slash at the end; "embedded" for the backend on this machine.
    base_url: str = _setting(parsers.read_base_url, DEFAULT_BASE_URL, "TINKER_BASE_URL")
    #: The project that new sessions belong to (0.38.0).
    project_id: str | None = _setting(parsers.read_text, None, "TINKER_PROJECT_ID")
    #: The folder with the embedded backend's state; None for a temporary folder.
    embedded_dir: Path | None = _setting(parsers.read_path, None, "TINKER_EMBEDDED_DIR")
    cf_access_client_id: str | None = _setting(
        parsers.read_text, None, "CLOUDFLARE_ACCESS_CLIENT_ID"
    )
    cf_access_client_secret: Secret | None = _setting(
        parsers.read_secret, None, "CLOUDFLARE_ACCESS_CLIENT_SECRET"
    )

    tags: tuple[str, ...] = _setting(parsers.parse_str_list, (), "TINKER_TAGS")
    user_metadata: Mapping[str, str] = _setting(parsers.read_metadata, MappingProxyType({}))
    #: A name of the session for display (0.38.0).
    display_name: str | None = _setting(parsers.read_text, None)
    #: Extra headers of every request; repr and pickle omit values that may be credentials.
    default_headers: Mapping[str, str] = _setting(
        parsers.read_headers, parsers.Headers({}), show=repr
    )
    #: The proxy for `base_url`: the argument, which applies to all requests, or the environment's.
    proxy: parsers.ProxyURL | None = _setting(parsers.read_proxy, None, show=repr)
    #: Certificate authorities that replace the system's: a PEM file, or a folder hashed by OpenSSL;
    #: the file takes precedence.
    ssl_cert_file: Path | None = _setting(parsers.read_path, None, "SSL_CERT_FILE")
    ssl_cert_dir: Path | None = _setting(parsers.read_path, None, "SSL_CERT_DIR")
    #: The HTTP transport: "asyncio", which uses the least CPU, or "httpcore". Requests through a
    #: proxy always use the latter.
    http_transport: str = _setting(
        parsers.read_http_transport, "asyncio", "TINKER_EXT_HTTP_TRANSPORT"
    )

    #: Timeouts of one request and of its connection (both 0.4.1 _constants.py).
    timeout: float = _setting(parsers.read_seconds, 60.0)
    connect_timeout: float = _setting(parsers.read_seconds, 5.0)
    #: Time limit of all attempts of one call (0.4.1 execute_with_retries).
    retry_window: float = _setting(parsers.read_seconds, 300.0)
    #: Attempts after the first one; None for as many as fit in the window. 0 disables retries, like
    #: the official client's option of that name.
    max_retries: int | None = _setting(parsers.read_integer, None)
    #: Failed attempts in a row, of all clients with the same base URL and key, after which requests
    #: fail at once; None for no circuit breaker.
    circuit_failures: int | None = _setting(parsers.read_count, None)
    #: Seconds from then to the next request that is sent. Ours: a server may restart in that time.
    circuit_cooldown: float = _setting(parsers.read_seconds, 30.0)
    #: Time limit of all attempts while the account can't pay (0.38.0's default of its flag
    #: billing_exception_max_pause_duration_sec).
    billing_window: float = _setting(parsers.read_seconds, 3600.0)
    #: From the submission of a request to its result (0.38.0 waits as long without progress).
    future_timeout: float = _setting(parsers.read_seconds, 7200.0)
    #: Time limit for packing the archive of a checkpoint. Ours: packing takes up to ten minutes.
    archive_timeout: float = _setting(parsers.read_seconds, 1800.0)
    heartbeat_interval: float = _setting(parsers.read_seconds, 10.0)  # 0.4.1

    #: Samples between submission and result (0.4.1: its semaphore).
    max_samples_in_flight: int = _setting(parsers.read_count, 400)
    #: Bytes of training requests being sent (0.38.0's fwdbwd_dispatch_bytes_semaphore_size).
    max_training_bytes_in_flight: int = _setting(parsers.read_count, 50_000_000)
    #: Bytes of one response, decompressed. Ours: the largest results, prompt logprobs of the 20
    #: most likely tokens at 100,000 positions, take up 60 MB.
    max_response_bytes: int = _setting(parsers.read_count, 268_435_456)

    telemetry: bool = _setting(parsers.read_flag, True, "TINKER_TELEMETRY")  # 0.4.1: on
    #: The file to which this process writes its spans, for `tinker-ext trace`; None records none.
    trace_file: Path | None = _setting(parsers.read_path, None, "TINKER_EXT_TRACE")
    #: Operations per second whose stages and attempts are recorded as spans, beside the first 100;
    #: infinity for all. Ours: the detail of one operation costs a tenth of the CPU of a sample.
    trace_detail: float = _setting(parsers.read_rate, 5.0, "TINKER_EXT_TRACE_DETAIL")
    #: Whether requests carry a `traceparent` header when there is a trace.
    trace_headers: bool = _setting(parsers.read_flag, True, "TINKER_EXT_TRACE_HEADERS")
    #: None leaves the logging configuration of the program unchanged.
    log_level: str | None = _setting(parsers.read_log_level, None, "TINKER_LOG")
    feature_gates: tuple[str, ...] = _setting(  # 0.4.1, which reads and ignores them
        parsers.parse_str_list, ("async_sampling",), "TINKER_FEATURE_GATES"
    )

    #: Where each setting comes from: "argument", "environment TINKER_TAGS", "default".
    sources: Mapping[str, str] = attrs.field(
        factory=lambda: MappingProxyType({}), repr=False, eq=False
    )
    #: The proxies and the excepted hosts of the environment.
    proxy_rules: ProxyRules = attrs.field(factory=ProxyRules, repr=False, eq=False)

    @classmethod
    def resolve(cls, *, require_key: bool = True, **explicit: object) -> Self:
        """Resolve the settings from arguments, named like the fields, and the environment.

        If neither provides a key or a command that prints one, the key that the official client
        stored at login is used, as in release 0.38.0.

        An argument of None and an empty environment variable count as not set. `require_key=False`
        permits a missing key (to inspect a configuration, not to use it).

        Raises:
            ConfigurationError: an invalid value, naming the argument or variable; values that
                exclude each other; an unknown name, with similar ones; a missing key without the
                embedded backend.
        """
        explicit = hide_values(explicit)
        fields = _settings()
        for name in explicit:
            if name not in fields:
                raise ConfigurationError(_unknown(name, fields), setting=name)
        resolved = {name: _resolve(field, explicit.get(name)) for name, field in fields.items()}
        config = _complete(cls, resolved)
        if require_key:
            config.check_key()
        return config

    @property
    def is_embedded(self) -> bool:
        """Whether the server is the backend on this machine."""
        return self.base_url == parsers.EMBEDDED

    @property
    def rate_limit_key(self) -> tuple[str, str]:
        """Equal for configurations that share a rate limit: base URL and digest of the key."""
        key = self.api_key or self.credential_cmd
        return self.base_url, key.digest if key else ""

    @property
    def header_secrets(self) -> tuple[Secret, ...]:
        """Values of `default_headers` that may be credentials, and parts of those values."""
        headers = self.default_headers
        return headers.secrets if isinstance(headers, parsers.Headers) else ()

    def is_default(self, setting: str) -> bool:
        """Whether the setting comes from neither an argument nor the environment."""
        return self.sources.get(setting, "default") == "default"

    def check_key(self) -> None:
        """Raise ConfigurationError if the server requires a key and there is none."""
        if not self.api_key and not self.credential_cmd and not self.is_embedded:
            missing = ConfigurationError("No API key.", setting="api_key")
            missing.hint = (
                "Set TINKER_API_KEY, pass api_key=..., or set TINKER_CREDENTIAL_CMD to a command "
                'that prints one. base_url="embedded", or TINKER_BASE_URL=embedded, needs no key.'
            )
            raise missing

    def proxy_for(self, url: str) -> str | None:
        """The proxy's URL with credentials for requests to `url`; None if they are sent directly.

        Raises:
            ConfigurationError: the environment's proxy for this URL can't be used.
        """
        if self.sources.get("proxy") == "argument":
            return self.proxy
        chosen = self.proxy_rules.choose(url)
        return None if chosen is None else _usable_proxy(chosen)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), _portable(self), dict(self.sources))


_Config = TypeVar("_Config", bound=ClientConfig)


def _settings() -> dict[str, attrs.Attribute[Any]]:
    return {field.name: field for field in attrs.fields(ClientConfig) if field.metadata}


def settings() -> Iterator[tuple[str, Any, str | None]]:
    """The name, default and environment variable of each setting."""
    for name, field in _settings().items():
        yield name, field.default, field.metadata[_VARIABLE]


def _resolve(field: attrs.Attribute[Any], argument: object) -> tuple[Any, str]:
    """The value of a setting and its source."""
    if argument is not None:
        return _read(field, argument, field.name), "argument"
    variable = field.metadata[_VARIABLE]
    if variable and (text := from_environment(variable)):
        return _read(field, text, variable), f"environment {variable}"
    return field.default, "default"


def from_environment(variable: str) -> HiddenValue | None:
    """The value of an environment variable without surrounding whitespace; None if it is empty."""
    text = os.environ.get(variable, "").strip()
    return HiddenValue(text) if text else None


def _or_stored(resolved: Mapping[str, tuple[Any, str]]) -> tuple[Any, str]:
    """The key and its source; the key stored at login if there is no other."""
    base_url, _ = resolved["base_url"]
    if resolved["api_key"][0] or resolved["credential_cmd"][0] or base_url == parsers.EMBEDDED:
        return resolved["api_key"]
    stored = credentials_file.read_default_key(credentials_file.CREDENTIALS_FILE)
    return resolved["api_key"] if stored is None else (stored, credentials_file.SOURCE)


def _complete(cls: type[_Config], resolved: dict[str, tuple[Any, str]]) -> _Config:
    """The configuration of settings and their sources, completed from this machine."""
    rules = _read_proxy_rules()
    resolved["api_key"] = _or_stored(resolved)
    resolved["proxy"] = _or_environment(resolved, rules)
    return cls(
        **{name: value for name, (value, _) in resolved.items()},
        sources=MappingProxyType({name: source for name, (_, source) in resolved.items()}),
        proxy_rules=rules,
    )


def _or_environment(resolved: Mapping[str, tuple[Any, str]], rules: ProxyRules) -> tuple[Any, str]:
    """The proxy and its source; by default the environment's for the base URL."""
    base_url, _ = resolved["base_url"]
    proxy, source = resolved["proxy"]
    if proxy is not None:
        _check_socks(proxy, "proxy")
        return proxy, source
    chosen = None if base_url == parsers.EMBEDDED else rules.choose(base_url)
    return (proxy, source) if chosen is None else (_usable_proxy(chosen), chosen.source)


def _read_proxy_rules() -> ProxyRules:
    """The proxies of the environment or, if it names none, of the system (macOS and Windows)."""
    from urllib.request import getproxies  # httpx imports it as well, for its first request.

    named = getproxies()
    proxies = {
        scheme: EnvironmentProxy(url if "://" in url else f"http://{url}", _proxy_source(scheme))
        for scheme in ("http", "https", "all")
        if (url := named.get(scheme))
    }
    excepted = (entry.strip() for entry in named.get("no", "").split(","))
    return ProxyRules(proxies, tuple(filter(None, excepted)))


def _proxy_source(scheme: str) -> str:
    # Lower case takes precedence (urllib.request.getproxies_environment).
    for variable in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
        if os.environ.get(variable):
            return f"environment {variable}"
    return "system settings"


def _usable_proxy(chosen: EnvironmentProxy) -> parsers.ProxyURL:
    setting = chosen.source.removeprefix("environment ")
    try:
        proxy = parsers.read_proxy(chosen.url)
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}", setting=setting) from None
    _check_socks(proxy, setting)
    return proxy


def _check_socks(proxy: str, setting: str) -> None:
    """Raise ConfigurationError if the package for a SOCKS proxy is missing."""
    if proxy.startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(
            f"{setting}: a SOCKS proxy requires the package socksio: pip install 'httpx[socks]'",
            setting=setting,
        )


def _read(field: attrs.Attribute[Any], value: object, setting: str) -> Any:
    try:
        return field.metadata[_READER](value.take() if isinstance(value, HiddenValue) else value)
    except ValueError as error:
        reason = str(error)
    # Not raised above, because the frames of the first error hold the value.
    raise ConfigurationError(f"{setting}: {reason}", setting=setting)


def _unknown(name: str, known: Mapping[str, object]) -> str:
    import difflib  # Needed only for an error.

    # The official client's retry options (0.4.1), which no setting resembles in name.
    if name == "retry_config":
        return f"Unknown setting {name!r}. Use retry_window and max_retries to limit retries."
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}?" if near else "See ClientConfig for all settings."
    return f"Unknown setting {parsers.redacted_repr(name)}. {advice}"


def _portable(config: ClientConfig) -> dict[str, Any]:
    """The settings that a pickle contains, as plain values."""
    values = {name: getattr(config, name) for name in _settings()}
    secrets = [value.reveal() for value in values.values() if isinstance(value, Secret)]
    portable = {name: value for name, value in values.items() if not isinstance(value, Secret)}
    portable["user_metadata"] = dict(config.user_metadata)
    portable["default_headers"] = {
        name: text
        for name, text in config.default_headers.items()
        if not parsers.may_be_secret(name, text) and not any(secret in text for secret in secrets)
    }
    if config.proxy is not None:
        portable["proxy"] = parsers.ProxyURL(parsers.without_credentials(config.proxy))
    for name in _OF_THE_MACHINE:
        if config.sources.get(name) != "argument":
            del portable[name]
    return portable


def _restore(
    cls: type[ClientConfig], values: dict[str, Any], sources: dict[str, str]
) -> ClientConfig:
    """Unpickle; settings that the pickle omits come from the environment of this process."""
    values["user_metadata"] = MappingProxyType(values["user_metadata"])
    values["default_headers"] = parsers.Headers(values["default_headers"])
    resolved = {name: (value, sources[name]) for name, value in values.items()}
    for name, field in _settings().items():
        if name not in resolved:
            resolved[name] = _resolve(field, None)
    return _complete(cls, resolved)


class Settings(TypedDict, total=False):
    """The settings that `ServiceClient` takes by name. None stands for a setting that is not set.

    Times are in seconds.
    """

    api_key: str | Secret | HiddenValue | None
    credential_cmd: str | Secret | HiddenValue | None
    base_url: str | None
    embedded_dir: str | Path | None
    cf_access_client_id: str | None
    cf_access_client_secret: str | Secret | HiddenValue | None
    tags: str | Iterable[str] | None
    display_name: str | None
    default_headers: Mapping[str, str] | None
    proxy: str | None
    ssl_cert_file: str | Path | None
    ssl_cert_dir: str | Path | None
    http_transport: Literal["asyncio", "httpcore"] | None
    timeout: float | None
    connect_timeout: float | None
    retry_window: float | None
    max_retries: int | None
    billing_window: float | None
    circuit_failures: int | None
    circuit_cooldown: float | None
    future_timeout: float | None
    archive_timeout: float | None
    heartbeat_interval: float | None
    max_samples_in_flight: int | None
    max_training_bytes_in_flight: int | None
    max_response_bytes: int | None
    telemetry: bool | None
    trace_file: str | Path | None
    trace_detail: float | None
    trace_headers: bool | None
    log_level: Literal["debug", "info", "warning", "error", "critical"] | str | None
    feature_gates: str | Iterable[str] | None


class AllSettings(Settings, total=False):
    """All settings: those of `Settings`, and the first two arguments of `ServiceClient`."""

    user_metadata: Mapping[str, str] | None
    project_id: str | None
