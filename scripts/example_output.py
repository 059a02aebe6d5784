"""Write the output of the examples into docs/examples.md, and their pictures into docs/images.

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
PAGE = ROOT / "docs/examples.md"
#: An interrupted run, followed by one that resumes.
RUNS = {"resume": [["--stop-after", "17"], []]}
#: Has no picture: the program for the generated bindings.
OTHER = "low_level"


def main() -> None:
    names = sys.argv[1:] or sorted({path.stem for path in EXAMPLES.glob("*.py")} - {OTHER})
    for name in names:
        print(name)
        with tempfile.TemporaryDirectory() as folder:
            output = "".join(run(name, options, folder) for options in RUNS.get(name, [[]]))
            picture = ROOT / "docs/images" / f"{name}.png"
            picture.write_bytes((Path(folder) / f"{name}.png").read_bytes())
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_output(page, name, output), encoding="utf-8")


def with_output(page: str, name: str, output: str) -> str:
    """The page with the current output of an example after its command."""
    command = f"```console\n$ python examples/{name}.py\n"
    before, rest = page.split(command)
    after = rest.split("```\n", 1)[1]
    return f"{before}{command}{output}```\n{after}"


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
