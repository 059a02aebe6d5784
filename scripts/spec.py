"""Make the specification of a release: `python scripts/spec.py 0.4.1`.

Writes `openapi/releases/RELEASE.yaml`, the strict contract; for the current release also
`openapi/tinker.yaml`, its tolerant reading, from which the bindings are made.
"""

from __future__ import annotations

import argparse
import sys

from specification import build
from specification.locations import OVERLAY, RELEASES, ROOT, SPECIFICATION
from specification.overlay import OverlayError
from specification.wheels import WheelError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("release", nargs="?", default=build.CURRENT_RELEASE)
    release: str = parser.parse_args().release
    try:
        wheel = build.locked_wheel(release)
        texts = {RELEASES / f"{release}.yaml": build.contract_text(wheel)}
        if release == build.CURRENT_RELEASE:
            texts[SPECIFICATION] = build.reading_text(wheel)
    except (WheelError, OverlayError, build.ReconstructionError) as problem:
        print(problem, file=sys.stderr)
        return 1
    RELEASES.mkdir(exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    build.lock_wheel(wheel)
    build.lock_files([OVERLAY, *texts])
    return 0


if __name__ == "__main__":
    sys.exit(main())
