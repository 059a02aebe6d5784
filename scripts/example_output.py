"""Write the output and the pictures of the examples to docs/output and docs/images.

`make example-output` runs all of them with their full sizes; names as arguments select some.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
#: An interrupted run, followed by one that resumes.
RUNS = {"resume": [["--stop-after", "17"], []]}


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in EXAMPLES.glob("*.py"))
    for name in names:
        print(name)
        with tempfile.TemporaryDirectory() as folder:
            output = "".join(run(name, options, folder) for options in RUNS.get(name, [[]]))
            picture = ROOT / "docs/images" / f"{name}.png"
            picture.write_bytes((Path(folder) / f"{name}.png").read_bytes())
        (ROOT / "docs/output" / f"{name}.txt").write_text(output, encoding="utf-8")


def run(name: str, options: list[str], folder: str) -> str:
    """Run an example in a folder and return what it prints."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *options]
    environment = {**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "90"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


if __name__ == "__main__":
    main()
