"""Check the prose of code and documents against the words to avoid of docs/glossary.md.

    check_prose.py                fail if a file has more avoided phrases than its exceptions
    check_prose.py --all [PATH]   list all of them, also those that are allowed
    check_prose.py --update       write the current counts to prose_exceptions.txt

Some uses of a word are right. `scripts/prose_exceptions.txt` has their number for each file. A new
one needs other words, or a reason to increase the number.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = Path(__file__).with_name("prose_exceptions.txt")
SUFFIXES = frozenset({".py", ".md", ".ts", ".toml", ".yaml", ".jinja"})
# Generated files, recorded data, word lists, and the two files that list the avoided words.
SKIPPED = (
    "generated/",
    "openapi/releases/",
    "openapi/tinker.yaml",
    "tests/official_names/",
    "tinker_ext/embedded/data/",
    "docs/glossary.md",
    "scripts/base_corpus.py",
    "scripts/check_prose.py",
)
HEADER = (
    "# Files with avoided phrases that are right, and their number. See scripts/check_prose.py.\n"
)

_VERBS = (
    "is|are|was|were|has|have|had|it|they|can|comes?|must|may|asks?|wants?|goes|does|did|else|of"
)
_BEFORE = r"^|[.:;,(\"'#-] ?|\b(?:of|with|for|to|and|in|by|that) "
#: Patterns and the advice for each.
PHRASES: dict[str, re.Pattern[str]] = {
    "told, tells: say reported, sent, known, required, rejected or logged": re.compile(
        r"(?<![.\w])(?:(?:un)?told|tells?)\b(?!\()(?! \w+ (?:to|that|about|from|apart)\b)"
    ),
    "answer: say response, respond or return": re.compile(r"\b[Aa]nswers?\b"),
    "clause with what or who as a noun: name the thing": re.compile(
        rf"(?:{_BEFORE})(?:[Ww]hat|[Ww]ho) (?:{_VERBS})\b"
    ),
    "is no X: say is not an X, or has no X": re.compile(
        r"(?<![Tt]here )\b(?:is|are|was|were|be) no "
        r"(?!longer|more than|less than|fewer|need|way|one\b|such|doubt)\w+"
    ),
    "nobody, somebody, whoever: say the caller, the client or other tasks": re.compile(
        r"\b(?:nobody|somebody|whoever|everybody|anybody)\b", re.IGNORECASE
    ),
    "for one in: name the item": re.compile(r"\bfor one in\b"),
    "participle as a variable: name the value": re.compile(
        r"^\s*(?:found|given|made|kept|wanted|told|asked|sent|taken|said|one)\s*(?::[^=]+)?=[^=]"
        r"(?!\s*(?:True|False|None|0)\b)"
    ),
    "unusual noun: say request, timeout, delay, resources, burst, redact or decompress": re.compile(
        r"\b(?:wish(?:es)?|belongings|patience|linger|last word|blot(?:s|ted|ting)?|unfold(?:s|ed)?"
        r"|in silence|storm of)\b",
        re.IGNORECASE,
    ),
    "Where as a condition: say If": re.compile(
        r"(?:^|[.;] |\"\"\")Where (?:a|an|the|it|no|there|some|servers?|nothing)\b[^.]*,"
        r"|, where (?:the|a|an|it|there|they|that) "
    ),
}


def avoided_phrases(line: str) -> Iterator[str]:
    """The advice for each avoided phrase of a line."""
    return (advice for advice, pattern in PHRASES.items() if pattern.search(line))


def occurrences() -> Iterator[tuple[str, int, str]]:
    """File, line number and advice of each avoided phrase in the files that git tracks."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in sorted(set(listed.stdout.splitlines())):
        path = ROOT / name
        if path.suffix not in SUFFIXES or name.startswith(SKIPPED) or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for advice in avoided_phrases(line):
                yield name, number, advice


def allowed_counts() -> dict[str, int]:
    """The number of phrases that each file may have; 0 for files that are not listed."""
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    pairs = (line.rsplit(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {name: int(count) for name, count in pairs}


def main() -> int:
    options = sys.argv[1:]
    phrases = list(occurrences())
    counts = Counter(name for name, _, _ in phrases)
    if options == ["--update"]:
        lines = [f"{name} {count}\n" for name, count in sorted(counts.items())]
        EXCEPTIONS.write_text(HEADER + "".join(lines), encoding="utf-8")
        print(f"{EXCEPTIONS.name}: {len(phrases)} phrases in {len(counts)} files")
        return 0
    allowed = {} if options[:1] == ["--all"] else allowed_counts()
    prefixes = tuple(options[1:]) or ("",)
    shown = [
        f"{name}:{number}: {advice}"
        for name, number, advice in phrases
        if counts[name] > allowed.get(name, 0) and name.startswith(prefixes)
    ]
    print("\n".join(shown), end="\n" if shown else "")
    if options[:1] == ["--all"]:
        return 0
    if shown:
        print("Use the words of docs/glossary.md.", file=sys.stderr)
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
