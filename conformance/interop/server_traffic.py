"""Which responses of servers of other projects are valid under the specification.

These servers share no code with this project. Each is called by this client and by the official SDK
of the release that it implements. Responses are validated twice: against `openapi/tinker.yaml`,
whose responses are as wide as existing servers need, and against the contract of the release.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from codegen.build import kept_releases
from codegen.contract.release import read_contract
from codegen.documents import load_yaml
from codegen.lock import locked_wheel
from codegen.paths import SPECIFICATION
from conformance.interop.contract import RESULTS, Contract, load_contract, retrieved_type
from conformance.interop.recorder import JSON_TYPE, Forwarder, recording
from conformance.interop.servers import running
from conformance.interop.session import run_program
from conformance.interop.support_matrix import OURS
from conformance.interop.traffic import TIMED
from tinker_ext.server_check import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json
    from conformance.interop.recorder import Exchange, Recording
    from conformance.interop.servers import Running, Server

# Its responses depend on the speed of the machine.
TIMED_RESULT = "TryAgainResponse"

# Seconds for a step of this client, for a step of an official SDK, and for all steps of the latter.
# Some servers compile for minutes.
OUR_STEP_SECONDS = 600.0
STEP_SECONDS = 150
TOUR_SECONDS = 900.0

# Replaces values in problems, so that two runs report the same.
MASK = "the value"


@frozen
class ServerTraffic:
    """The exchanges of one client with a server.

    Attributes:
        release: the official release whose protocol the server implements.
        client: `this client`, or an official SDK such as `tinker 0.4.1`.
    """

    release: str
    client: str
    exchanges: list[Exchange]

    @property
    def summary(self) -> Json:
        """The entry of the client in `openapi/traffic.json`.

        `confirmed` has the successful responses that are valid under `openapi/tinker.yaml`, by
        operation. `unconfirmed` lists the operations without one, which are those that the server
        does not have. Problems are listed by the document that they are a problem under.
        """
        union, strict = specification(), contract_of(self.release)
        requests_of = union if self.client == OURS else strict
        valid: defaultdict[str, set[str]] = defaultdict(set)
        invalid: defaultdict[str, set[str]] = defaultdict(set)
        called: set[str] = set()
        problems: dict[str, set[str]] = {"requests": set(), "tinker.yaml": set(), "release": set()}
        for exchange in self.exchanges:
            request_problems = requests_of.request_verdict(exchange.request).problems
            problems["requests"].update(map(_place, request_problems))
            verdict = union.response_verdict(exchange)
            if verdict.operation_id is None:
                continue
            if verdict.operation_id in TIMED and self.client != OURS:
                continue  # The steps of this client take longer than the interval of heartbeats.
            called.add(verdict.operation_id)
            problems["tinker.yaml"].update(map(_place, verdict.problems))
            problems["release"].update(map(_place, strict.response_verdict(exchange).problems))
            kind = _kind(verdict.operation_id, exchange)
            if kind is not None:
                (invalid if verdict.problems else valid)[verdict.operation_id].add(kind)
        confirmed = {
            name: sorted(kinds - invalid[name])
            for name, kinds in sorted(valid.items())
            if kinds - invalid[name]
        }
        return {
            "confirmed": confirmed,
            "unconfirmed": sorted(called - confirmed.keys()),
            "problems": {key: sorted(items) for key, items in problems.items() if items},
        }


def _place(problem: str) -> str:
    """A problem without the indices of lists and the ids of training runs."""
    problem = re.sub(r"(?<=/training_runs/)[^/]+", "*", problem)
    operation, _, text = problem.partition(": ")
    where, colon, message = text.partition(": ")
    place, separator, reason = message.partition(": ")
    if separator and " " not in place:
        place = "/".join("*" if part.isdigit() else part for part in place.split("/"))
        message = f"{place}: {reason}"
    return f"{operation}: {where}{colon}{message}"


def _kind(operation: str, exchange: Exchange) -> str | None:
    """Status and media type of a successful response, and the type of a result.

    None for errors, and for responses that depend on the speed of the machine.
    """
    response = exchange.response
    if response.status >= 400:
        return None
    media_type = response.message.media_type if response.message.body else "no body"
    kind = f"{response.status} {media_type}"
    if operation != "retrieve_future":
        return kind
    result: str | None = None
    if response.message.media_type == JSON_TYPE:
        result = retrieved_type(response.message.body)
    if result == TIMED_RESULT:
        return None
    request_type = exchange.request.message.headers.get("x-tinker-request-type", "")
    return f"{kind} {result or RESULTS.get(request_type, 'result')}"


@lru_cache
def specification() -> Contract:
    """The specification of all releases."""
    return Contract(load_yaml(SPECIFICATION), MASK)


@lru_cache
def contract_of(release: str) -> Contract:
    """The contract of a release, which need not be kept."""
    if release in kept_releases():
        return Contract(load_contract(release).document, MASK)
    return Contract(read_contract(locked_wheel(release)).document, MASK)


def record_server(server: Server) -> Json:
    """Run this client and the official SDK on new instances of the server.

    Returns the entry of the server in `openapi/traffic.json`.
    """
    clients = [_record(server, client) for client in (OURS, f"tinker {server.release}")]
    return {
        "package": server.package,
        "release": server.release,
        "clients": {traffic.client: traffic.summary for traffic in clients},
    }


def _record(server: Server, client: str) -> ServerTraffic:
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded(server, Path(folder)) as (started, record),
    ):
        _run(started, client)
        return ServerTraffic(server.release, client, list(record.exchanges))


@contextmanager
def recorded(server: Server, folder: Path) -> Iterator[tuple[Running, Recording]]:
    """Run the server behind a recorder until the context exits."""
    with running(server, folder) as started, recording(Forwarder(started.url)) as record:
        yield evolve(started, url=record.url), record


def _run(server: Running, client: str) -> None:
    if client == OURS:
        ALL.run(server.checked(), lambda outcome: None, timeout=OUR_STEP_SECONDS)
        return
    settings = {
        "DRIVER_BASE_MODEL": server.model,
        "DRIVER_STEP_SECONDS": str(STEP_SECONDS),
        "DRIVER_HEADERS": json.dumps(dict(server.headers)),
    }
    run_program(client.removeprefix("tinker "), "responses", server.url, settings, TOUR_SECONDS)
