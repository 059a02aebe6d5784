"""Grade this project's clients and the official ones, and write ports/GRADES.md (`make grades`)."""

from __future__ import annotations

from conformance.interop.grades import GRADES, document, graded


def main() -> None:
    reports = graded()
    GRADES.write_text(document(reports), encoding="utf-8")
    for report in reports:
        print(f"{report.client}: {report.totals}")


if __name__ == "__main__":
    main()
