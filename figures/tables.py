"""Tables that are computed once and stored cell by cell, so that an interrupted computation resumes."""

import ast
import hashlib
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Failure, Record, sweep

Row = dict[str, Any]
Table = list[Row]


def rows(
    picture: ModuleType,
    store: Store,
    *,
    quick: bool = False,
    jobs: int = 1,
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Table:
    """Return {**cell, **result} of every cell of a picture, computing and storing what is not stored yet.

    A result counts as stored if settings, the package and what computes it are as they were; how it is drawn, and the
    comments, may have changed. With `fresh` none does.
    """
    name = picture.__name__
    cells = picture.cells(quick)
    source = fingerprint(picture)
    groups = {str(number): [{"picture": name, "source": source, **cell}] for number, cell in enumerate(cells)}
    results: dict[str, Any] = {}
    for number, (result,) in sweep(partial(_compute, name), groups, jobs=jobs, store=store, fresh=fresh):
        if isinstance(result, Failure):
            raise RuntimeError(f"{name} could not compute {cells[int(number)]}: {result.error}")
        results[number] = result
        progress(len(results), len(cells))
    return [{**cell, **results[str(number)]} for number, cell in enumerate(cells)]


def product(**axes: Sequence[Any]) -> Table:
    """Return a cell for each combination of values."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def select(table: Table, **wanted: Any) -> Table:
    """Return the rows that have these values."""
    return [row for row in table if all(row[name] == value for name, value in wanted.items())]


def _compute(name: str, settings: Sequence[Mapping[str, Any]]) -> list[Record | Failure]:
    # By name, for a module cannot be sent to another process.
    compute = import_module(name).compute
    return [compute({k: v for k, v in cell.items() if k not in ("picture", "source")}) for cell in settings]


def fingerprint(picture: ModuleType) -> str:
    """Return the SHA-256 of what computes a picture, whatever draws it."""
    tree = ast.parse(inspect.getsource(picture))
    left_out = ast.Expr | ast.Import | ast.ImportFrom  # an expression at the top of a module is its docstring
    tree.body = [
        node
        for node in tree.body
        if getattr(node, "name", "") not in ("cells", "draw", "caption") and not isinstance(node, left_out)
    ]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()
