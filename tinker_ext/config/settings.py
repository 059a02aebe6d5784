"""The settings of a client as typed keyword arguments, for editors and type checkers.

`ClientConfig` documents the settings, and its readers check the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict

from tinker_ext.redaction.secret import HiddenValue, Secret


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
