"""Where are the stored results of `linreg-mirror compare`, and which of them does a picture belong to?"""

import hashlib
import json
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a stored comparison."""
    return json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def digest(name: str) -> str:
    """Return what changes with the file: part of a cell, so that its result is computed anew."""
    return hashlib.sha256((_RESULTS / f"{name}.json").read_bytes()).hexdigest()
