"""Validates requests against the specification of a release, if the validator is installed.

`tinker_ext.embedded.validation` does the work; its library belongs to the extra `embedded`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from tinker_ext.testing.conformance.server import PROTOBUF, Exchange


def validator_is_installed() -> bool:
    return find_spec("jsonschema_rs") is not None


def problems_of(protocol: str, exchanges: Iterable[Exchange]) -> list[str]:
    """The problems of these requests, each once. Protobuf is decoded, not validated."""
    from tinker_ext.embedded.errors import RejectedRequestError
    from tinker_ext.embedded.protocols import BY_RELEASE, specification_of

    operations = specification_of(BY_RELEASE[protocol]).operations
    problems: dict[str, None] = {}
    for exchange in exchanges:
        operation = operations.get(exchange.operation)
        if operation is None or PROTOBUF in exchange.content_type or not operation.takes_body:
            continue
        try:
            operation.check(exchange.received.body)
        except RejectedRequestError as error:
            problems[f"{exchange.operation}: {error}"] = None
    return list(problems)
