"""Writes ports/conformance/vectors/requests.json: the requests of each operation, by protocol.

Both this client and the official one perform the same steps. `body` has the fields that both send
with the same value; `optional` those that only one sends, which a client may send or leave out.
`free` are fields whose values a client chooses or earlier responses determine.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any

from tinker_api.proto import tinker_public_pb2 as messages

from codegen.paths import ROOT
from conformance.interop.environments import python_of, variables
from conformance.interop.grades import DRIVER
from tinker_ext.testing.conformance.grader import driver_environment
from tinker_ext.testing.conformance.play import KEY, MODEL, Driver, datum
from tinker_ext.testing.conformance.server import PROTOCOLS, Exchange, ScenarioServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VECTORS = ROOT / "ports" / "conformance" / "vectors" / "requests.json"
TIMEOUT = 60.0

_LOSS = {"loss_fn": "cross_entropy", "data": [datum((1, 2, 3)), datum((4, 5), weights=[0.5, 0.0])]}
STEPS: tuple[dict[str, Any], ...] = (
    {"do": "create_training_client", "as": "training", "base_model": MODEL, "rank": 8},
    {"do": "forward", "on": "training", **_LOSS},
    {"do": "forward_backward", "on": "training", **_LOSS},
    {"do": "optim_step", "on": "training", "learning_rate": 0.001},
    {"do": "save_state", "on": "training", "name": "state"},
    {"do": "load_state", "on": "training", "path": "tinker://run-1/weights/state"},
    {"do": "save_weights_for_sampler", "on": "training", "name": "weights"},
    {"do": "save_weights_and_get_sampling_client", "on": "training", "as": "unnamed"},
    {"do": "create_sampling_client", "as": "base", "base_model": MODEL},
    {
        "do": "create_sampling_client",
        "as": "saved",
        "model_path": "tinker://run-1/sampler_weights/weights",
    },
    {"do": "sample", "on": "base", "prompt": [1, 2, 3], "max_tokens": 4, "num_samples": 2},
)
#: The operations of the steps; clients may send others, such as heartbeats.
OPERATIONS = (
    "create_session",
    "create_model",
    "forward",
    "forward_backward",
    "optim_step",
    "save_weights",
    "load_weights",
    "save_weights_for_sampler",
    "create_sampling_session",
    "asample",
)
FREE = frozenset({"sdk_version", "sampling_session_id", "tags", "user_metadata", "optimizer"})


def requests_of(command: Sequence[str], environment: Mapping[str, str], protocol: str) -> Any:
    """The requests of each step, after those that create the session."""
    with Driver(command, environment) as driver, ScenarioServer(protocol) as server:
        driver.greeting()

        def run(step: Mapping[str, Any]) -> list[Exchange]:
            before = len(server.exchanges(*OPERATIONS))
            fields = {name: value for name, value in step.items() if name != "do"}
            driver.start(step["do"], {"service": "vectors", **fields}).result(TIMEOUT)
            return server.exchanges(*OPERATIONS)[before:]

        opening = {"do": "open", "base_url": server.url, "api_key": KEY}
        first, *others = STEPS
        created = [*run(opening), *run(first)]
        session = [item for item in created if item.operation == "create_session"]
        models = [item for item in created if item.operation == "create_model"]
        return [(opening, session), (first, models), *((step, run(step)) for step in others)]


def merge(ours: Any, theirs: Any, path: str, optional: dict[str, Any]) -> Any:
    """The common part of two bodies; fields of only one are added to `optional`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        common = {}
        for name in sorted({*ours, *theirs}):
            where = f"{path}.{name}" if path else name
            if name in FREE:
                continue
            if name in ours and name in theirs:
                common[name] = merge(ours[name], theirs[name], where, optional)
            else:
                optional[where] = ours.get(name, theirs.get(name))
        return common
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [merge(one, two, f"{path}.{at}", optional) for at, (one, two) in pairs]
    if ours != theirs:
        raise ValueError(f"{path}: this client sends {ours!r}, the official one {theirs!r}")
    return ours


def cases() -> list[dict[str, Any]]:
    """The cases of both protocols."""
    result = []
    for protocol in PROTOCOLS:
        command = (sys.executable, "-m", "tinker_ext.testing.conformance.driver")
        ours = requests_of(command, driver_environment(), protocol)
        official = (str(python_of(protocol)), "-P", str(DRIVER), "tinker")
        theirs = requests_of(official, variables(), protocol)
        for (step, sent), (_, other) in zip(ours, theirs, strict=True):
            [one], [two] = sent, other
            optional: dict[str, Any] = {}
            body = merge(one.body, two.body, "", optional)
            shown = {name: value for name, value in step.items() if name not in _SETTINGS}
            request: dict[str, Any] = {"path": f"/api/v1/{one.received.path}"}
            if one.content:
                # In the order of the field numbers, and of the keys of maps.
                parsed = messages.ForwardBackwardRequest.FromString(one.content)
                message = base64.b64encode(parsed.SerializeToString(deterministic=True)).decode()
                request |= {"content_type": "application/x-protobuf", "message": message}
            request |= {"body": body, "optional": optional}
            name = f"{step['do']} of {protocol}"
            result.append({"name": name, "protocol": protocol, "step": shown, "expect": request})
    return result


_SETTINGS = ("base_url", "api_key")


def main() -> None:
    lines = ",\n    ".join(json.dumps(case) for case in cases())
    rules = ["clients.training.TrainingClient", "clients.sampling.SamplingClient"]
    defaults = json.dumps({"free": sorted(FREE)})
    head = f'  "rules": {json.dumps(rules)},\n  "defaults": {defaults},\n'
    text = f'{{\n{head}  "cases": [\n    {lines}\n  ]\n}}\n'
    VECTORS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
