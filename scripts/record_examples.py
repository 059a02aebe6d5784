"""Write `openapi/examples.json`, examples of each operation (`make record-examples`)."""

from __future__ import annotations

import sys

from codegen.documents import dump_json
from codegen.paths import EXAMPLES, ROOT
from conformance.interop.examples import record_examples


def main() -> int:
    examples = record_examples()
    EXAMPLES.write_text(dump_json(examples), encoding="utf-8")
    count = sum(map(len, examples.values()))
    print(f"{EXAMPLES.relative_to(ROOT)}: {count} examples of {len(examples)} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
