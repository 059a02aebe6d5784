"""Compare this client with two releases of the official SDK and with a lower bound.

    make benchmark
    python benchmarks/compare.py --only 'sampling-64-*' --quick --clients 'tinker_ext;floor'

Each run is a new process on one core, the server runs on another, and the clients take turns, so
that other work on the machine affects all of them alike. A run that other work disturbed is
repeated; the least disturbed one counts.

Without `--only`, `--quick` and `--clients`, it writes docs/performance.md, docs/performance.png and
benchmarks/results.json. `--update` writes them after a part was measured again, `--render` writes
the documents without a measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from benchmarks import report
from benchmarks.results import Results, Run
from benchmarks.scenarios import FLOOR, NEW, OLD, OURS, OURS_JSON, SCENARIOS, Scenario
from conformance.interop.environments import STUBS, python_of, variables
from tinker_ext.config.client_config import ClientConfig
from tinker_ext.config.parsers import HTTP_TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
ROUNDS = 3
LIMIT = 180.0  # Seconds for one run.
#: The share of the time in which other work may have the client's core.
QUIET = 0.1
ATTEMPTS = 3


@frozen
class Client:
    """A client under test.

    Attributes:
        module: the module that `driver.py` imports.
        release: the official release whose environment runs it; None for ours.
        protocol: the protocol of the server.
    """

    name: str
    module: str
    release: str | None = None
    protocol: str = "0.38.0"
    environment: Mapping[str, str] = field(factory=dict)

    @property
    def python(self) -> str:
        return sys.executable if self.release is None else str(python_of(self.release))

    @property
    def variables(self) -> dict[str, str]:
        # The stubs replace packages that only the official SDKs import.
        path = str(STUBS) if self.release else ""
        return variables(**{**self.environment, "PYTHONPATH": path})


def all_clients() -> dict[str, Client]:
    """The clients by name: ours first, with each of its other transports."""
    clients = [
        Client(OURS, "tinker_ext"),
        *(
            Client(
                f"{OURS}, {transport}",
                "tinker_ext",
                environment={"TINKER_EXT_HTTP_TRANSPORT": transport},
            )
            for transport in HTTP_TRANSPORTS
            if transport != default_transport()
        ),
        Client(OURS_JSON, "tinker_ext", protocol="0.4.1"),
        Client(NEW, "tinker", release=NEW),
        Client(OLD, "tinker", release=OLD, protocol=OLD),
        Client(FLOOR, "benchmarks.floor"),
    ]
    return {client.name: client for client in clients}


def default_transport() -> str:
    return str(attrs.fields_dict(ClientConfig)["http_transport"].default)


def clients_of(scenario: Scenario, chosen: Sequence[str]) -> list[Client]:
    """Ours with each transport, and those of the scenario."""
    return [
        client
        for name, client in all_clients().items()
        if (name in scenario.clients or (name.startswith(OURS) and name != OURS_JSON))
        and (not chosen or name in chosen)
    ]


def cores() -> tuple[int | None, int | None]:
    """The cores of the client and the server; None if they can't be pinned to different ones."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[-1]) if len(available) > 1 else (None, None)


@contextmanager
def stub_server(protocol: str, *options: str, cpu: int | None = None) -> Iterator[str]:
    """Run the stub server; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(HERE / "stub_server.py"), str(port), "--protocol", protocol]
    command += [*options, *(() if cpu is None else ("--cpu", str(cpu)))]
    server = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the stub server did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def run(client: Client, url: str, scenario: Scenario, options: Mapping[str, Any]) -> Run:
    """One run in a new process; empty if it failed."""
    request = {"client": client.module, "url": url, "case": scenario.kind, "cpu": cores()[0]}
    command = [client.python, "-W", "ignore", str(HERE / "driver.py")]
    command.append(json.dumps({**request, **options}))
    try:
        completed = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env=client.variables,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"{scenario.name}, {client.name}: no result in {LIMIT:g} s", file=sys.stderr)
        return {}
    if completed.returncode != 0:
        error = completed.stderr.strip().rpartition("\n")[2]
        print(f"{scenario.name}, {client.name}: {error}", file=sys.stderr)
        return {}
    result: Run = json.loads(completed.stdout.splitlines()[-1])
    return result


def least_disturbed(
    client: Client, url: str, scenario: Scenario, sizes: Mapping[str, Any], attempts: int
) -> Run:
    """The run in which other work had the client's core least; further ones only if necessary."""
    best: Run = {}
    for _ in range(attempts):
        figures = run(client, url, scenario, sizes)
        if not best or figures.get("other_share", 1.0) < best.get("other_share", 1.0):
            best = figures
        if best.get("other_share", 0.0) <= QUIET:
            break
    return best


def measure(scenario: Scenario, results: Results, options: argparse.Namespace) -> None:
    """Run all clients of a scenario in turns, and add their figures to `results`."""
    clients = clients_of(scenario, options.clients)
    sizes = {**scenario.options, **(scenario.shrink if options.quick else {})}
    with ExitStack() as stack:
        urls = {
            protocol: stack.enter_context(stub_server(protocol, *scenario.server, cpu=cores()[1]))
            for protocol in dict.fromkeys(client.protocol for client in clients)
        }
        for number in range(options.rounds):
            first = number % len(clients) if clients else 0
            for client in (*clients[first:], *clients[:first]):
                results.add(
                    scenario.name,
                    client.name,
                    least_disturbed(
                        client, urls[client.protocol], scenario, sizes, options.attempts
                    ),
                )


def warm_up(options: argparse.Namespace) -> None:
    """Import each client once, which writes its byte code."""
    start = SCENARIOS[0]
    for client in clients_of(start, options.clients):
        with stub_server(client.protocol) as url:
            run(client, url, start, {})


def machine() -> dict[str, str]:
    """The date, processors and versions of this run."""
    model = "unknown"
    if Path("/proc/cpuinfo").exists():
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        match = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
        model = match[1].strip() if match else model
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{os.cpu_count()} cores, {model}",
        "python": platform.python_version(),
        "httpx": version("httpx"),
        "aiohttp": version("aiohttp"),
        "transport": default_transport(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="measure the scenarios whose names match; --list lists them",
    )
    parser.add_argument(
        "--clients",
        type=lambda text: text.split(";"),
        default=[],
        help="names of columns, separated by semicolons",
    )
    parser.add_argument("--quick", action="store_true", help="one round, shorter runs")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, with --quick 1")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="for a disturbed run")
    parser.add_argument("--update", action="store_true", help="replace these results")
    parser.add_argument("--list", action="store_true", help="list the scenarios and clients")
    parser.add_argument("--render", action="store_true", help="only write the documents")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    if options.quick:
        options.attempts = 1
    if options.list:
        print("\n".join(f"{item.name:32} {item.title}" for item in SCENARIOS))
        print("clients:", "; ".join(all_clients()))
        return
    if options.render:
        report.write(Results.load(RESULTS))
        return
    chosen = [
        item
        for item in SCENARIOS
        if not options.only or any(fnmatch(item.name, pattern) for pattern in options.only)
    ]
    if not chosen:
        parser.error("no scenario matches; see --list")
    results = Results(machine())
    if START_NAME in {item.name for item in chosen}:
        warm_up(options)
    is_written = options.update or not (options.only or options.quick or options.clients)
    if options.update:
        results.runs = Results.load(RESULTS).runs
    for scenario in chosen:
        for client in clients_of(scenario, options.clients):
            results.runs.get(scenario.name, {}).pop(client.name, None)
        measure(scenario, results, options)
        runs = results.runs.get(scenario.name, {})
        results.runs[scenario.name] = {name: runs[name] for name in all_clients() if name in runs}
        report.show(results, scenario)
        if is_written:  # After each scenario, so that an interrupted run is not lost.
            results.save(RESULTS)
    report.show_goals(results)
    if is_written:
        report.write(results)


START_NAME = SCENARIOS[0].name

if __name__ == "__main__":
    main()
