"""The Python code blocks of the documents run on the embedded backend."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from tests.processes import bare_environment

#: Programs that train take minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: tests/spec/test_low_level.py runs this page on a server without the client.
ELSEWHERE = {"docs/low-level.md"}
#: Pages that configure the whole process.
OWN_PROCESS = {"docs/observability.md"}
#: What only complete programs contain; such a block runs as a program of its own.
PROGRAM = re.compile(r"^(import ray|if __name__ == )", re.MULTILINE)


def blocks(document: str) -> list[str]:
    """The code blocks of a document, each after as many empty lines as precede it there."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, match.start(1)) + match.group(1)
        for match in BLOCK.finditer(text)
    ]


DOCUMENTS = sorted(
    document
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("ports/**/*.md"))
    if "node_modules" not in path.parts
    and blocks(document := path.relative_to(ROOT).as_posix())
    and document not in ELSEWHERE
)


PROGRAMS = [
    pytest.param(block, id=f"{document}, block {number}")
    for document in DOCUMENTS
    for number, block in enumerate(blocks(document), start=1)
    if PROGRAM.search(block)
]


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`ServiceClient()` uses the embedded backend; files are written to a temporary folder."""
    monkeypatch.setenv("TINKER_BASE_URL", "embedded")
    monkeypatch.setenv("MODELSCOPE_TOKEN", "token-of-the-example")
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name not in OWN_PROCESS])
def test_code_blocks_run_in_order(document: str) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(document):
        code = compile(block, document, "exec")
        if not PROGRAM.search(block):
            exec(code, names)


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str, tmp_path: Path) -> None:
    if "import ray" in program:
        pytest.importorskip("ray", reason="Ray is not a dependency")
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    subprocess.run([sys.executable, "-W", "error", file], check=True)


@pytest.mark.parametrize("document", sorted(OWN_PROCESS))
def test_code_blocks_run_in_process_of_their_own(document: str, tmp_path: Path) -> None:
    environment = bare_environment() | {"TINKER_BASE_URL": "embedded", "OTEL_SDK_DISABLED": "true"}
    command = [sys.executable, "-W", "error", "-c", "\n".join(map(str.strip, blocks(document)))]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)


def test_every_document_with_code_is_tested() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/losses.md"} <= set(DOCUMENTS)
