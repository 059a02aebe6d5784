"""Which operations of a release its own SDK has confirmed: said and taken as specified."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from codegen.paths import OPENAPI, RELEASES
from interop.bare import NEEDED, Bare
from interop.contract import contract
from interop.environments import python_of
from interop.recorder import Forwarder, recording
from interop.scripted import Scripted
from interop.session import drive
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from codegen.documents import Json
    from interop.recorder import Exchange, Responder
    from interop.session import Run

TRAFFIC = OPENAPI / "traffic.json"

# Two drivers at a time: each is busy with itself for the first seconds.
AT_A_TIME = 2


@frozen
class Scene:
    """A driver and the server it is put before, `embedded` or `scripted`.

    A scripted server has flags for its clients; a `bare` one answers no more than it has to.
    """

    server: str
    driver: str
    bare: bool = False
    flags: Mapping[str, Any] = field(factory=dict)
    dynamic_flags: Mapping[str, Any] = field(factory=dict)
    settings: Mapping[str, str] = field(factory=dict)

    @contextmanager
    def responder(self, release: str) -> Iterator[Responder]:
        with ExitStack() as stack:
            responder: Responder = Scripted(self.flags, self.dynamic_flags)
            if self.server == "embedded":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                responder = Forwarder(stack.enter_context(start_embedded(folder)).url)
            yield Bare(responder, contract(release)) if self.bare else responder


# All that a server can ask of a client by flags, of any release; who does not know one ignores it.
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
    Scene("scripted", "surface"),
    Scene("scripted", "surface", bare=True),
    Scene(
        "scripted",
        "surface",
        flags=FLAGS,
        dynamic_flags={"sample_cancel_enabled": True},
        settings={"DRIVER_TOKENS": "yes"},
    ),
)
# Releases are put before the embedded backend as soon as it speaks their protocol.
SCENES: dict[str, tuple[Scene, ...]] = {
    "0.4.1": (
        Scene("embedded", "train_and_sample"),
        Scene("embedded", "train_and_sample", bare=True),
    )
}


@frozen
class Traffic:
    """What came of the scenes of one release."""

    release: str
    runs: list[Run]
    exchanges: list[tuple[Scene, Exchange]]

    @property
    def failures(self) -> dict[str, str]:
        """Steps that failed, and with what."""
        return {name: error for run in self.runs for name, error in run.failures.items()}

    @property
    def problems(self) -> list[str]:
        """Where requests or answers differ from the specification."""
        verdicts = (contract(self.release).verdict(one) for _, one in self.exchanges)
        return sorted({problem for verdict in verdicts for problem in verdict.problems})

    @property
    def summary(self) -> Json:
        """What `openapi/traffic.json` has about the release. The same for every run."""
        specified = contract(self.release)
        seen: dict[str, dict[str, set[str]]] = {}
        refuted: set[str | None] = set()
        for scene, exchange in self.exchanges:
            verdict = specified.verdict(exchange)
            if verdict.problems or verdict.operation_id is None:
                refuted.add(verdict.operation_id)
                continue
            about = seen.setdefault(
                verdict.operation_id, {"servers": set(), "requests": set(), "answers": set()}
            )
            asked, answered = exchange.asked.message, exchange.answered
            about["servers"].add(scene.server)
            about["requests"].add(asked.media_type if asked.body else "no body")
            kind = answered.message.media_type if answered.message.body else "no body"
            about["answers"].add(f"{answered.status} {kind}")
        confirmed = sorted(seen.keys() - refuted)
        return {
            "operations": len(specified.operation_ids),
            "confirmed": {
                name: {what: sorted(values) for what, values in seen[name].items()}
                for name in confirmed
            },
            "unconfirmed": sorted(set(specified.operation_ids) - set(confirmed)),
        }


def kept_releases() -> list[str]:
    """The releases with a specification, oldest first."""
    names = (path.stem for path in RELEASES.glob("*.yaml"))
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def traffic_of(releases: Iterable[str]) -> dict[str, Traffic]:
    """Run the scenes of these releases, some at a time."""
    scenes = [(one, scene) for one in releases for scene in SCENES.get(one, SURFACE)]
    for release in dict.fromkeys(release for release, _ in scenes):
        python_of(release)  # one after the other: they share what they install
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(lambda scene: _play(*scene), scenes))
    found: dict[str, Traffic] = {}
    for (release, scene), (run, exchanges) in zip(scenes, outcomes, strict=True):
        traffic = found.setdefault(release, Traffic(release, [], []))
        traffic.runs.append(run)
        traffic.exchanges.extend((scene, one) for one in exchanges)
    return found


def _play(release: str, scene: Scene) -> tuple[Run, list[Exchange]]:
    with scene.responder(release) as responder, recording(responder) as record:
        run = drive(release, scene.driver, record.url, **scene.settings)
        return run, list(record.exchanges)


def document(traffic: Mapping[str, Traffic]) -> Json:
    """The content of `openapi/traffic.json`: by operation and by release."""
    summaries = {release: one.summary for release, one in traffic.items()}
    operations: dict[str, list[str]] = {}
    for release, summary in summaries.items():
        for name in summary["confirmed"]:
            operations.setdefault(name, []).append(release)
    return {
        "operations": dict(sorted(operations.items())),
        "needed_though_optional": sorted(NEEDED),
        "releases": summaries,
    }
