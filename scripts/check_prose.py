"""Check code and documents for the phrases in scripts/avoided_phrases.txt.

    check_prose.py                fail if a file has more of them than its exceptions
    check_prose.py --all [PATH]   list all of them, including the exceptions
    check_prose.py --update       write the current counts to prose_exceptions.txt

Some uses of a word are right. `scripts/prose_exceptions.txt` has their number for each file. A new
one needs other words, or a reason to increase the number.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHRASES = Path(__file__).with_name("avoided_phrases.txt")
EXCEPTIONS = Path(__file__).with_name("prose_exceptions.txt")
SUFFIXES = frozenset({".py", ".md", ".ts", ".toml", ".yaml", ".jinja"})
# Generated files, recorded data, and word lists.
SKIPPED = (
    "generated/",
    "openapi/releases/",
    "openapi/tinker.yaml",
    "tests/official_names/",
    "tinker_ext/embedded/data/",
    "scripts/base_corpus.py",
)
HEADER = "# Uses of avoided phrases that are right: file and number. See scripts/check_prose.py.\n"


def load_phrases() -> list[tuple[str, re.Pattern[str]]]:
    """Pairs of advice and pattern."""
    paragraphs = PHRASES.read_text(encoding="utf-8").split("\n\n")[1:]
    return [
        (advice, re.compile(expression))
        for advice, *expressions in map(str.splitlines, paragraphs)
        for expression in expressions
    ]


def occurrences() -> Iterator[tuple[str, int, str]]:
    """File, line number and advice for each avoided phrase in files that git does not ignore."""
    phrases = load_phrases()
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in sorted(set(listed.stdout.splitlines())):
        path = ROOT / name
        if path.suffix not in SUFFIXES or name.startswith(SKIPPED) or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for advice, pattern in phrases:
                if pattern.search(line):
                    yield name, number, advice


def load_exceptions() -> dict[str, int]:
    """The number of exceptions of each file that has some."""
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    pairs = (line.rsplit(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {name: int(count) for name, count in pairs}


def main() -> int:
    option, *prefixes = sys.argv[1:] or ["--check"]
    phrases = list(occurrences())
    counts = Counter(name for name, _, _ in phrases)
    if option == "--update":
        lines = [f"{name} {count}\n" for name, count in sorted(counts.items())]
        EXCEPTIONS.write_text(HEADER + "".join(lines), encoding="utf-8")
        print(f"{EXCEPTIONS.name}: {len(phrases)} phrases in {len(counts)} files")
        return 0
    exceptions = {} if option == "--all" else load_exceptions()
    shown = [
        f"{name}:{number}: {advice}"
        for name, number, advice in phrases
        if counts[name] > exceptions.get(name, 0) and name.startswith(tuple(prefixes) or "")
    ]
    if shown:
        print("\n".join(shown))
    if option == "--all" or not shown:
        return 0
    print("Reword these lines; docs/glossary.md has the usual terms.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
