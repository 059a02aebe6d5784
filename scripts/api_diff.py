"""Report the changes of the public interface since a git revision: `api_diff.py [REF]`.

Without REF, since the latest tag. The report helps to review a release and to choose its version;
the exit status is 0 whatever it contains. Internal packages are left out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INTERNAL = tuple(
    f"tinker_ext/{name}/"
    for name in ("cli", "embedded", "protocol", "redaction", "rules", "runtime", "transport")
)


def main() -> int:
    revision = [f"--against={name}" for name in sys.argv[1:2]]
    command = [sys.executable, "-m", "griffe", "check", "tinker_ext", "--search", ".", "--no-color"]
    checked = subprocess.run(command + revision, cwd=ROOT, capture_output=True, text=True)
    if checked.returncode not in (0, 1):  # 1 stands for changes.
        print(checked.stderr.strip(), file=sys.stderr)
        return checked.returncode
    if "no tags found" in checked.stderr:
        print("No tag to compare with. Pass a revision: make api-diff REF=main", file=sys.stderr)
        return 2
    lines = (checked.stdout + checked.stderr).splitlines()
    changes = [line for line in lines if not line.startswith(INTERNAL)]
    print("\n".join(changes) if changes else "No changes of the public interface.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
