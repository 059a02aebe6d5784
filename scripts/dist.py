"""Build the wheel and the source distribution in dist/, check them, and try them (`make dist`)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.interop import environments
from tinker_ext.version import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
#: The programs that check distributions.
CHECKERS = ("check-wheel-contents==0.6.3", "twine==7.0.0")
#: Files that `python -m build` creates for a version.
NAMES = (f"tinker_ext-{__version__}-py3-none-any.whl", f"tinker_ext-{__version__}.tar.gz")


def main() -> int:
    """Build, check and try the distributions. Returns the exit status."""
    check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
    first, second = build(0), build(1)
    try:
        check_equal(digests(first), digests(second))
        DIST.mkdir(exist_ok=True)
        for name in NAMES:
            shutil.copy(first / name, DIST / name)
            print(f"{hashlib.sha256((DIST / name).read_bytes()).hexdigest()}  dist/{name}")
    finally:
        shutil.rmtree(first.parent)
        shutil.rmtree(second.parent)
    check_contents()
    for python in interpreters():
        try_wheel(python, DIST / NAMES[0])
    return 0


def check_changelog(text: str, version: str) -> None:
    """Require a section of CHANGELOG.md for the version, or for unreleased changes.

    Raises:
        ValueError: it has neither.
    """
    titles = re.findall(r"^## (\S+)", text, re.MULTILINE)
    if not {"Unreleased", version} & set(titles):
        raise ValueError(f"CHANGELOG.md has no section {version!r} or 'Unreleased'")


def build(number: int) -> Path:
    """Build in a copy of the repository's files; returns the folder with the two distributions.

    The copies differ in path, times and permissions, which must not change the result. The wheel is
    built from the source distribution.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"tinker-dist-{number}-"))
    source, target = folder / "source", folder / "dist"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
            (source / name).chmod(0o600 if number else 0o644)
            os.utime(source / name, (time.time() - number * 86_400,) * 2)
    run(sys.executable, "-m", "build", "--outdir", str(target), str(source), cwd=folder)
    return target


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def check_equal(first: dict[str, str], second: dict[str, str]) -> None:
    """Require two builds to have the expected files with equal contents.

    Raises:
        ValueError: naming the files that differ.
    """
    if set(first) != set(NAMES):
        raise ValueError(f"expected {', '.join(NAMES)}, got {', '.join(first)}")
    if different := [name for name in first if first[name] != second.get(name)]:
        raise ValueError(f"two builds of {', '.join(different)} differ")


def check_contents() -> None:
    """Check the metadata and the contents of the distributions."""
    tools = environments.installed("dist", CHECKERS).parent
    files = [str(DIST / name) for name in NAMES]
    print(run(str(tools / "twine"), "check", "--strict", *files, cwd=ROOT).strip())
    print(run(str(tools / "check-wheel-contents"), files[0], cwd=ROOT).strip())


def interpreters() -> list[str]:
    """The interpreters to try: those of `scripts/interpreters.sh`."""
    return run(str(ROOT / "scripts" / "interpreters.sh"), cwd=ROOT).split()


def try_wheel(python: str, wheel: Path) -> None:
    """Install the wheel in a new environment, and run the command and the README's scripts."""
    with tempfile.TemporaryDirectory(prefix="tinker-try-") as name:
        folder = Path(name)
        run(python, "-m", "venv", str(folder / "env"), cwd=folder)
        installed = str(folder / "env" / "bin" / "python")
        pins = ("--constraint", str(ROOT / "constraints.txt"))
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        run(installed, *pip, *pins, f"tinker-ext[embedded] @ {wheel.as_uri()}", cwd=folder)
        command = str(folder / "env" / "bin" / "tinker-ext")
        print(f"{python}: {run(command, 'version', cwd=folder).strip()}")
        for script in readme_scripts():
            (folder / "script.py").write_text(script, encoding="utf-8")
            print(run(installed, "-W", "error", "script.py", cwd=folder).splitlines()[-1])


def readme_scripts() -> list[str]:
    """The complete scripts of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return [block for block in blocks if "ServiceClient" in block]


def run(*command: str, cwd: Path) -> str:
    """Run a program without this process's Python settings; returns its output.

    Raises:
        SystemExit: it failed; the message ends with its output.
    """
    excluded = ("PYTHON", "TINKER", "VIRTUAL_ENV")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(excluded)}
    # hatchling takes the times of the files in an archive from it.
    epoch = {"SOURCE_DATE_EPOCH": "1577836800", "HF_HUB_OFFLINE": "1"}
    process = subprocess.run(
        command, cwd=cwd, env=inherited | epoch, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}{process.stderr}")
    return process.stdout


if __name__ == "__main__":
    sys.exit(main())
