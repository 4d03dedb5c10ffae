"""The evidence of the package for `linreg-mirror claims`, from stored comparisons: `python -m benchmarks.claims`."""

import json
from pathlib import Path

from linreg_mirror.claims import collect

RESULTS = Path(__file__).parent / "results"
EVIDENCE = Path(__file__).resolve().parents[1] / "linreg_mirror" / "claims" / "evidence.json"


def text(folder: Path = RESULTS) -> str:
    return json.dumps(collect(folder), indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    EVIDENCE.write_text(text(), encoding="utf-8")
    print(f"written: {EVIDENCE}")
