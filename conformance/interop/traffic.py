"""Which operations of a release its own SDK has confirmed, by valid requests and responses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from codegen.documents import Json
from codegen.paths import OPENAPI
from conformance.interop.contract import load_contract
from conformance.interop.environments import python_of
from conformance.interop.minimal_responses import REQUIRED_IN_PRACTICE, MinimalResponder
from conformance.interop.recorder import Exchange, Forwarder, Responder, recording
from conformance.interop.scripted_server import ScriptedServer
from conformance.interop.session import Run, run_program
from tinker_ext.embedded.launch import start_embedded

TRAFFIC = OPENAPI / "traffic.json"

# Sent every ten seconds, and at the end of a process, which does not wait for it: whether a run on
# the embedded backend has them depends on its duration. The calls on the scripted server count.
TIMED = frozenset({"session_heartbeat", "finish_session"})

# Drivers that run at the same time: each needs a processor for its first seconds.
CONCURRENT_DRIVERS = 2


@frozen
class TrafficSetup:
    """A program and the server it runs on.

    Attributes:
        server: `embedded` or `scripted`.
        minimal: whether responses have required fields only.
        flags: flags that a scripted server sends to its clients.
    """

    server: str
    program: str
    minimal: bool = False
    flags: Mapping[str, Any] = field(factory=dict)
    dynamic_flags: Mapping[str, Any] = field(factory=dict)
    settings: Mapping[str, str] = field(factory=dict)

    @contextmanager
    def responder(self, release: str) -> Iterator[Responder]:
        with ExitStack() as stack:
            responder: Responder = ScriptedServer(self.flags, self.dynamic_flags)
            if self.server == "embedded":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                responder = Forwarder(stack.enter_context(start_embedded(folder)).url)
            if self.minimal:
                responder = MinimalResponder(responder, load_contract(release))
            yield responder


# The flags of all releases; a client ignores flags that it does not know.
FLAGS = {
    "create_model_via_load_weights": True,
    "custom_loss_server_side": True,
    "fwd_via_fwdbwd": True,
    "pjwt_auth_enabled": True,
    "proto_compress_fwdbwd": True,
    "proto_write_fwdbwd": True,
    "sample_join_sampling_session": True,
    "sample_use_retrieve_futures": True,
    "use_pyqwest_transport": False,
}
SURFACE = (
    TrafficSetup("scripted", "surface"),
    TrafficSetup("scripted", "surface", minimal=True),
    TrafficSetup(
        "scripted",
        "surface",
        flags=FLAGS,
        dynamic_flags={"sample_cancel_enabled": True},
        settings={"DRIVER_TOKENS": "yes"},
    ),
)
# Releases that also run on the embedded backend; the others run SURFACE on a scripted server.
SETUPS: dict[str, tuple[TrafficSetup, ...]] = {
    "0.4.1": (
        TrafficSetup("embedded", "baseline"),
        TrafficSetup("embedded", "baseline", minimal=True),
    ),
    "0.38.0": (*SURFACE, TrafficSetup("embedded", "releases")),
}


@frozen
class Traffic:
    """The runs of one release and the recorded exchanges."""

    release: str
    runs: list[Run]
    exchanges: list[tuple[TrafficSetup, Exchange]]

    @property
    def failures(self) -> dict[str, str]:
        """The steps that failed, with their errors."""
        return {name: error for run in self.runs for name, error in run.failures.items()}

    @property
    def problems(self) -> list[str]:
        """The differences of requests and responses from the specification."""
        contract = load_contract(self.release)
        verdicts = (contract.verdict(exchange) for _, exchange in self.exchanges)
        return sorted({problem for verdict in verdicts for problem in verdict.problems})

    @property
    def summary(self) -> Json:
        """The entry of the release in `openapi/traffic.json`, which is the same for every run."""
        contract = load_contract(self.release)
        seen: dict[str, dict[str, set[str]]] = {}
        refuted: set[str | None] = set()
        scripted_first = sorted(self.exchanges, key=lambda pair: pair[0].server == "embedded")
        for setup, exchange in scripted_first:
            verdict = contract.verdict(exchange)
            if verdict.problems or verdict.operation_id is None:
                refuted.add(verdict.operation_id)
                continue
            if verdict.operation_id in TIMED.intersection(seen) and setup.server == "embedded":
                continue
            summary = seen.setdefault(
                verdict.operation_id, {"servers": set(), "requests": set(), "responses": set()}
            )
            request, response = exchange.request.message, exchange.response
            summary["servers"].add(setup.server)
            summary["requests"].add(request.media_type if request.body else "no body")
            kind = response.message.media_type if response.message.body else "no body"
            summary["responses"].add(f"{response.status} {kind}")
        confirmed = sorted(seen.keys() - refuted)
        return {
            "operations": len(contract.operation_ids),
            "confirmed": {
                name: {key: sorted(values) for key, values in seen[name].items()}
                for name in confirmed
            },
            "unconfirmed": sorted(set(contract.operation_ids) - set(confirmed)),
        }


def traffic_of(releases: Iterable[str]) -> dict[str, Traffic]:
    """Run the setups of these releases, a few at a time."""
    setups = [(release, setup) for release in releases for setup in SETUPS.get(release, SURFACE)]
    for release in dict.fromkeys(release for release, _ in setups):
        python_of(release)  # not concurrently: they share an environment
    with ThreadPoolExecutor(CONCURRENT_DRIVERS) as pool:
        outcomes = list(pool.map(lambda item: _record(*item), setups))
    traffic: dict[str, Traffic] = {}
    for (release, setup), (run, exchanges) in zip(setups, outcomes, strict=True):
        of_release = traffic.setdefault(release, Traffic(release, [], []))
        of_release.runs.append(run)
        of_release.exchanges.extend((setup, exchange) for exchange in exchanges)
    return traffic


def _record(release: str, setup: TrafficSetup) -> tuple[Run, list[Exchange]]:
    with setup.responder(release) as responder, recording(responder) as record:
        run = run_program(release, setup.program, record.url, setup.settings)
        return run, list(record.exchanges)


def document(traffic: Mapping[str, Traffic], servers: Json) -> Json:
    """The content of `openapi/traffic.json`: by operation, by release, and by server.

    `servers` are the entries of the servers of other projects (`server_traffic.record_server`).
    """
    summaries = {release: item.summary for release, item in traffic.items()}
    operations: dict[str, list[str]] = {}
    for release, summary in summaries.items():
        for name in summary["confirmed"]:
            operations.setdefault(name, []).append(release)
    return {
        "operations": dict(sorted(operations.items())),
        "needed_though_optional": sorted(REQUIRED_IN_PRACTICE),
        "releases": summaries,
        "servers": servers,
    }
