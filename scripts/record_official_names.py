"""Write `tests/official_names`: the public names of the official SDKs, and their modules."""

from __future__ import annotations

from conformance.interop import official_modules
from conformance.interop.environments import ROOT
from conformance.interop.public_names import RELEASES, as_text, names_of, path_of


def main() -> None:
    for release in RELEASES:
        path = path_of(release)
        path.parent.mkdir(exist_ok=True)
        path.write_text(as_text(names_of(release)), encoding="utf-8")
        print(path.relative_to(ROOT))
    modules = official_modules.modules_of_wheels()
    official_modules.RECORD.write_text(official_modules.as_text(modules), encoding="utf-8")
    print(official_modules.RECORD.relative_to(ROOT))


if __name__ == "__main__":
    main()
