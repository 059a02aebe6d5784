"""List newer versions of the pinned packages, or change to them and test (`make upgrade`)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "constraints.txt"
#: Regenerated in this order, then tested. Each is a target of the Makefile.
TARGETS = ("setup", "spec", "generate", "test", "check", "interop", "site", "examples", "dist")
#: Pins outside of constraints.txt, which are changed by hand.
OTHER_PINS = (
    "hatchling in [build-system] of pyproject.toml",
    "PIP and TORCH in the Makefile",
    "conformance/interop/requirements.txt, REQUIREMENTS in tests/interop/test_openai_package.py",
    "CHECKERS in scripts/dist.py",
    "scripts/node/package.json and ports/typescript/package.json (npm outdated)",
)


def main(arguments: list[str]) -> int:
    """`list` prints the differences; without it, they are applied and tested."""
    before = read_pins(PINS.read_text(encoding="utf-8"))
    after = newest()
    for line in differences(before, after):
        print(line)
    print("Not changed by this command:", *OTHER_PINS, sep="\n  ")
    if arguments == ["list"] or before == after:
        return 0
    PINS.write_text(with_pins(PINS.read_text(encoding="utf-8"), after), encoding="utf-8")
    failed = [target for target in TARGETS if subprocess.run(["make", target], cwd=ROOT).returncode]
    print("Changed files:")
    subprocess.run(["git", "status", "--short"], cwd=ROOT, check=True)
    print(f"Failed: {', '.join(failed)}" if failed else "All targets passed; review and commit.")
    return 1 if failed else 0


def read_pins(text: str) -> dict[str, str]:
    """The pinned version of each package."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def with_pins(text: str, pins: Mapping[str, str]) -> str:
    """The file with other pins, below its comment."""
    comment = [line for line in text.splitlines() if line.startswith("#")]
    listed = [f"{name}=={pins[name]}" for name in sorted(pins, key=str.lower)]
    return "\n".join([*comment, *listed]) + "\n"


def newest() -> dict[str, str]:
    """The newest versions that fit together, as pip resolves them without installing anything."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--dry-run"]
        command += [
            "--ignore-installed",
            "--report",
            str(report),
            ".[embedded,dev,site]",
            "playwright",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    versions = {item["metadata"]["name"]: item["metadata"]["version"] for item in items}
    return {name: version for name, version in versions.items() if name != "tinker-ext"}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """A line for each package that is added, removed or has another version."""
    old = {normalized(name): (name, version) for name, version in before.items()}
    new = {normalized(name): (name, version) for name, version in after.items()}
    for key in sorted(old | new):
        if key not in new:
            yield f"  - {old[key][0]} {old[key][1]}"
        elif key not in old:
            yield f"  + {new[key][0]} {new[key][1]}"
        elif old[key][1] != new[key][1]:
            yield f"    {new[key][0]} {old[key][1]} -> {new[key][1]}"


def normalized(name: str) -> str:
    """A name as the package index compares names (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
