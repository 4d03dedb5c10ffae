"""What the last check of the whole ledger gave, as far as the documentation shows it.

`linreg-mirror check && python -m docs.ledger` renews it.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linreg_mirror.runtime.store import results_directory
from linreg_mirror.verification.report import summary

FILE = Path(__file__).parent / "results" / "ledger.json"
_KEPT = ("statement", "verdict", "expected", "instances", "worst_margin", "detail", "repeat")


def shortened(report: Mapping[str, Any], when: str) -> dict[str, Any]:
    """Return the part of a report that the documentation shows."""
    environment = report["environment"]
    return {
        "date": when,
        "commit": environment["commit"],
        "version": environment["version"],
        "python": environment["python"],
        "cpu": environment["machine"]["cpu"],
        "cores": environment["machine"]["cores"],
        "summary": summary(report),
        "theorems": {
            entry["id"]: {name: entry[name] for name in _KEPT} | {"control": entry["control"]["detail"]}
            for entry in report["theorems"]
        },
    }


def read() -> dict[str, Any]:
    """Return what is stored."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Store a report, by default that of the last check of the whole ledger."""
    path = Path(arguments[0]) if arguments else results_directory() / "check" / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    if not report["passed"] or report["run"]["theorems"] or report["run"]["instances"]:
        print(f"{path} is not a passed check of the whole ledger: run `linreg-mirror check`", file=sys.stderr)
        return 1
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    FILE.write_text(json.dumps(shortened(report, when), indent=1) + "\n", encoding="utf-8")
    print(f"written: {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
