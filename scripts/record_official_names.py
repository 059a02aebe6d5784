"""Write `tests/official_names`: the public names of the official SDKs, with their parameters."""

from __future__ import annotations

from conformance.interop.environments import ROOT
from conformance.interop.public_names import RELEASES, as_text, names_of, path_of


def main() -> None:
    for release in RELEASES:
        path = path_of(release)
        path.parent.mkdir(exist_ok=True)
        path.write_text(as_text(names_of(release)), encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
