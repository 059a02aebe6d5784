"""Put this client through every step on real servers: `real_servers.py [NAME ...]`.

Each server is installed into `.venvs` the first time (gigabytes, minutes), started on loopback with
a tiny model and ended again. What came of the steps is kept in `.cache`; the table in
`docs/servers.md` is written from all that is kept. Fails if a step hangs or goes wrong by this
client's doing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for `tests`
os.environ["HF_HUB_OFFLINE"] = "1"  # Tokenizers are in the model's folder.

from interop.servers import SERVERS, running  # noqa: E402

from tests.interop.servers import ALL  # noqa: E402
from tests.interop.servers.driver import Ending, Outcome  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = ROOT / "docs" / "servers.md"
KEPT = ROOT / ".cache" / "real-servers"
PLACE = re.compile(r"(?<=<!-- made by `make real-servers` -->\n).*?(?=<!-- end -->)", re.DOTALL)
_LONGEST_NOTE = 230


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", choices=[*SERVERS, []], metavar="NAME", default=[])
    names: list[str] = parser.parse_args().names
    went_well = [run(name) for name in names or SERVERS]
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda _: f"\n{table(kept())}\n", page), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
    return 0 if all(went_well) else 1


def run(name: str) -> bool:
    """Run all steps on a server and keep what came of them; whether the client did well."""
    with tempfile.TemporaryDirectory() as folder, running(SERVERS[name], Path(folder)) as server:
        outcomes = ALL.run(server, lambda one: print(name, _line(one), flush=True))
    KEPT.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    steps = [[one.name, str(one.ending), one.words, one.seconds] for one in outcomes]
    (KEPT / f"{name}.json").write_text(json.dumps({"day": day, "steps": steps}), encoding="utf-8")
    return all(one.ending.good for one in outcomes)


def _line(one: Outcome) -> str:
    return f"{one.seconds:6.1f} s  {one.ending}  {one.name}  {one.words}"


def kept() -> dict[str, tuple[str, list[Outcome]]]:
    """For each server that was seen: the day, and what came of the steps."""
    found = {}
    for name in SERVERS:
        path = KEPT / f"{name}.json"
        if path.is_file():
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            steps = [Outcome(step, Ending(end), *rest) for step, end, *rest in content["steps"]]
            found[name] = (content["day"], steps)
    return found


def table(seen: Mapping[str, tuple[str, Sequence[Outcome]]]) -> str:
    """The sums, a row for each step, and what was said where it was not simply ok."""
    steps = list(dict.fromkeys(one.name for _, outcomes in seen.values() for one in outcomes))
    notes: dict[str, int] = {}
    lines = [
        f"| step | {' | '.join(f'{name} ({day})' for name, (day, _) in seen.items())} |",
        f"|---{'|---' * len(seen)}|",
        f"| **in all** | {' | '.join(_sum(outcomes) for _, outcomes in seen.values())} |",
    ]
    for step in steps:
        cells = [_cell(step, outcomes, notes) for _, outcomes in seen.values()]
        lines.append(f"| {step.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{at}. `{note}`" for note, at in notes.items()), ""])


def _sum(outcomes: Sequence[Outcome]) -> str:
    counts = {end: sum(one.ending is end for one in outcomes) for end in Ending}
    shown = [f"{count} {end}" for end, count in counts.items() if count]
    return f"{len(outcomes)} steps: {', '.join(shown)}"


def _cell(step: str, outcomes: Sequence[Outcome], notes: dict[str, int]) -> str:
    one = next((one for one in outcomes if one.name == step), None)
    if one is None:
        return ""
    if not one.words:
        return str(one.ending)
    if one.ending is Ending.OK and "Error" not in one.words:
        return f"ok: {one.words}"
    return f"{one.ending} ({notes.setdefault(_lasting(one.words), len(notes) + 1)})"


def _lasting(words: str) -> str:
    """An error's words without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", " ".join(words.split()))
    text = re.sub(r"(model|session|sampling)_[0-9a-f]{6,}", r"\1_ID", text)
    text = re.sub(r"(?<![\w:/])(/[\w.-]+){3,}", "FOLDER", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d+ attempts", "N attempts", text)
    return re.sub(r"\d+\.\d+ s", "N s", text).replace("`", "'").replace("|", "/")[:_LONGEST_NOTE]


if __name__ == "__main__":
    sys.exit(main())
