"""Take this client and an official one through independent servers: `servers.py [NAME ...]`.

Without names, all servers are seen and the table of `docs/servers.md` is written; with names, the
table is printed. The servers are installed into `.venvs` the first time: several gigabytes.
"""

from __future__ import annotations

import argparse
import re

from interop.tours import NAMES, table, tour
from specification.locations import ROOT

PAGE = ROOT / "docs" / "servers.md"
PLACE = re.compile(r"(?<=<!-- made by `make servers` -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", default=[])
    names: list[str] = parser.parse_args().names
    text = table([column for name in names or NAMES for column in tour(name)])
    if names:
        print(text)
        return
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda _: f"\n{text}\n\n", page, count=1), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
