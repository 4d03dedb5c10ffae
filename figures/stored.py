"""Tables that come with the repository, so that pictures can be drawn without computing them."""

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from figures import tables
from linreg_mirror.runtime.environment import environment

RESULTS = Path(__file__).parent / "results"
_DIGITS = 6  # more than a picture shows, and a third of the size


class Stale(ValueError):
    """What is stored is not the table of the picture as it is today."""


def write(picture: ModuleType, table: tables.Table) -> Path:
    """Store the table of a picture with what it was computed by, numbers to six digits."""
    cells = picture.cells(False)
    made = environment()
    content = {
        "source": tables.fingerprint(picture),
        **{name: made[name] for name in ("version", "commit", "python")},
        "rows": [
            [cell, {name: value for name, value in row.items() if name not in cell}]
            for cell, row in zip(cells, table, strict=True)
        ],
    }
    path = _path(picture)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(_rounded(content), separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def read(picture: ModuleType) -> tables.Table:
    """Return the stored table of a picture.

    Raises
    ------
    Stale
        If there is none, or it is that of other cells, or computed in another way than the picture does today.
    """
    path = _path(picture)
    if not path.exists():
        raise Stale(f"there is no {path}: python -m figures {path.stem} --store")
    content = json.loads(path.read_text(encoding="utf-8"))
    cells = _rounded(picture.cells(False))
    if content["source"] != tables.fingerprint(picture) or [cell for cell, _ in content["rows"]] != cells:
        raise Stale(f"{path} is of other settings than the picture has today: python -m figures {path.stem} --store")
    return [{**cell, **result} for cell, result in content["rows"]]


def digest(table: tables.Table) -> str:
    """Return what tells a table, its numbers to six digits, from others."""
    return hashlib.sha256(json.dumps(_rounded(table)).encode()).hexdigest()


def _path(picture: ModuleType) -> Path:
    return RESULTS / f"{picture.__name__.rpartition('.')[2]}.json"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if hasattr(value, "tolist"):
        return _rounded(value.tolist())
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
