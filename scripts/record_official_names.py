"""Write `tests/official_names`: the public names of the official SDKs, with what they take."""

from __future__ import annotations

from interop.environments import ROOT
from interop.names import RELEASES, as_text, names_of, path_of


def main() -> None:
    for release in RELEASES:
        path = path_of(release)
        path.parent.mkdir(exist_ok=True)
        path.write_text(as_text(names_of(release)), encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
