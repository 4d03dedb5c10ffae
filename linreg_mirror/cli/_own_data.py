"""The data of `solve`: arrays, two CSV files, or one table with a target."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_mirror._types import Array

if TYPE_CHECKING:
    from linreg_mirror.problems import Problem

_OPTIONS = {
    "drop another": "leave it out of --drop",
    "if it is an index, drop it": "if it is an index, write --drop NAME",
    "drop it": "write --drop NAME",
    "Ask for one-hot columns, or drop them": "Write --one-hot, or --drop for each of them",
    "drop fewer": "give fewer --drop",
}
_FAR = 2.0  # standard deviations from 0 to a mean


@dataclass(frozen=True)
class Given:
    """A problem, and how to say its weights in the units of a table.

    Attributes
    ----------
    problem : Problem
        What is solved.
    features : tuple of str
        Names of weights; of arrays X[0], X[1] and so on.
    target : str
        Name of y.
    units : array, shape (d,)
        A coefficient is this times a weight.
    means : array, shape (d,)
        Of features, if they are centred; otherwise 0.
    mean : float
        Of the target, if it is centred; otherwise 0.
    samples : int
        How many there are; the problem has one row less if it is centred.
    notes : tuple of str
        What was made of the file.
    named : bool
        Whether features have names of their own.
    standardized : bool
        Whether features were divided by their standard deviations.
    """

    problem: "Problem"
    features: tuple[str, ...]
    target: str
    units: Array
    means: Array
    mean: float
    samples: int
    notes: tuple[str, ...] = ()
    named: bool = False
    standardized: bool = False

    def coefficients(self, x: Array) -> tuple[Array, float]:
        """Return coefficients in the units of the table, and the intercept."""
        found = x * self.units
        return found, float(self.mean - self.means @ found)


def read(
    data: Path, targets: Path | None, named: list[str], drop: list[str], one_hot: bool, standardize: bool,
    intercept: bool,
) -> Given:  # fmt: skip
    """Return the data that the options name.

    Raises
    ------
    ValueError, OSError, ModuleNotFoundError
        With what to write on the command line.
    """
    from linreg_mirror import problems

    if len(named) > 1:
        instead = f"--target {named[0]} {' '.join(f'--drop {name}' for name in named[1:])}"
        raise ValueError(f"--target names one column, got {', '.join(named)}: write {instead}")
    target = named[0] if named else None
    if target is None:
        if drop or one_hot:
            raise ValueError("--drop and --one-hot are about the columns of a table: name its target too, --target y")
        if targets is None and data.suffix.lower() != ".npz" and data.exists():
            raise ValueError(
                f"{data} is no npz file: name the column of y if it is in this table, --target NAME, or "
                f"name the CSV file of y too, linreg-mirror solve {data} y.csv"
            )
        problem = problems.from_file(data, targets)
        names, target, notes = tuple(f"X[{i}]" for i in range(problem.d)), "y", ()
    else:
        if targets is not None:
            raise ValueError(f"y is in {targets} or a column of {data}: leave {targets} out, or --target {target}")
        if data.suffix.lower() == ".npz":
            raise ValueError(f"{data} holds arrays, not columns with names: leave --target {target} out")
        try:
            table = problems.from_table(data, target, drop=drop, one_hot=one_hot)
        except ValueError as error:
            raise ValueError(_as_options(str(error))) from None
        problem, names, notes = problems.Problem(table.X, table.y), table.features, table.notes
    ones, zeros = np.ones(problem.d), np.zeros(problem.d)
    plain = Given(problem, names, target, ones, zeros, 0.0, problem.n, tuple(map(_as_options, notes)), bool(named))
    if not intercept:
        plain = replace(plain, notes=(*plain.notes, *_without_intercept(plain)))
    return _prepared(plain, standardize, intercept) if standardize or intercept else plain


def _without_intercept(given: Given) -> list[str]:
    """Return a note if columns are far from 0, and none of them is constant, so that it would be an intercept."""
    X: Any = np.column_stack([given.problem.X, given.problem.y])
    deviation, far = X.std(axis=0), np.abs(X.mean(axis=0))
    if len(X) < 2 or (np.ptp(X[:, :-1], axis=0) == 0).any():
        return []
    found = [
        repr(name) for name, one in zip((*given.features, given.target), far > _FAR * deviation, strict=True) if one
    ]
    if not found:
        return []
    shown = ", ".join(found[:3]) + ", ..." * (len(found) > 3)
    return [f"no intercept is fitted, though means are far from 0, as of {shown}: --intercept fits one"]


def _prepared(given: Given, standardize: bool, intercept: bool) -> Given:
    from linreg_mirror._tools.centring import contracted
    from linreg_mirror.problems import Problem

    X: Any = given.problem.X
    y, deviation, notes = given.problem.y, np.ones(X.shape[1]), list(given.notes)
    if standardize:
        deviation = X.std(axis=0)
        constant = np.ptp(X, axis=0) == 0
        deviation[constant] = 1.0
        if constant.any():
            named = ", ".join(repr(given.features[i]) for i in np.flatnonzero(constant)[:5])
            notes.append(f"constant, and left as they are: {named}{', ...' if constant.sum() > 5 else ''}")
    X = X / deviation
    means, mean = np.zeros(X.shape[1]), 0.0
    if intercept:
        if len(y) < 2:
            raise ValueError("--intercept needs two samples or more: leave it out")
        X, y, means, mean = contracted(X, y, None)
    return replace(
        given, problem=Problem(X, y), units=1 / deviation, means=means * deviation, mean=mean, notes=tuple(notes),
        standardized=standardize,
    )  # fmt: skip


def _as_options(text: str) -> str:
    for said, option in _OPTIONS.items():
        text = text.replace(said, option)
    return text


@contextlib.contextmanager
def interruptible(done: dict[str, Any], output: Path | None) -> Any:
    """Say on Ctrl-C what is solved, and that nothing is written."""
    import typer
    from rich.console import Console

    try:
        yield
    except KeyboardInterrupt:
        solved = f"solved were {', '.join(done)}" if done else "nothing was solved"
        lost = f"; {output} is not written" if output is not None else ""
        Console(stderr=True).print(
            f"interrupted: {solved}{lost}. Run the same command again to start anew", highlight=False, soft_wrap=True
        )
        raise typer.Exit(130) from None
