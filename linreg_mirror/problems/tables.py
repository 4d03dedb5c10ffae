"""Problems read from one table: a column for each feature, and one for the target."""

import csv
import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linreg_mirror._types import Array

_MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "."}
_DELIMITERS = {";": "semicolons", "\t": "tabs", ",": "commas"}
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_SEPARATED = re.compile(r"[+-]?\d[\d.,' ]*")  # a number, though not one that is read
_NAMED = 5  # missing cells, and categories, that an error names
_LEVELS = 50  # more words than these in a column are no categories


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers with names, read from a file.

    Attributes
    ----------
    X : array, shape (n, d)
        Features.
    y : array, shape (n,)
        The target.
    features : tuple of str
        Names of the columns of X.
    target : str
        Name of y.
    notes : tuple of str
        What was made of the file that a reader should know.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> table = lm.problems.Table([[1.0, 2.0]], [2.0], ("height", "age"), "weight")
    >>> lm.Problem(table.X, table.y).d
    2
    """

    X: Array
    y: Array
    features: tuple[str, ...]
    target: str
    notes: tuple[str, ...] = ()


def from_table(path: str | Path, target: str, *, drop: Sequence[str] = (), one_hot: bool = False) -> Table:
    r"""Read features and a target from one table, CSV or Parquet, whose columns have names.

    Parameters
    ----------
    path : path
        A .parquet file, which pandas reads; or, with any other ending, text: names in the first line, then one sample a
        line, cells separated by commas, semicolons or tabs. Where the separator is no comma, numbers may have a decimal
        comma.
    target : str
        The column of y.
    drop : sequence of str
        Columns that are neither.
    one_hot : bool
        Whether columns of words become one column of zeros and ones for each word, all of them kept.

    Returns
    -------
    Table
        Notes say of a decimal comma, of an index column that was left out or noticed, and of columns made of words.

    Raises
    ------
    ValueError
        If a name is unknown or twice there, a cell is missing or no number (each with its line and column), words are
        in a column without `one_hot`, or no feature is left.
    TypeError
        If `drop` is one name, not a sequence of them.
    OSError
        If the file cannot be read.
    ModuleNotFoundError
        If it is Parquet, and pandas is missing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import linreg_mirror as lm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     _ = path.write_text("height;age;weight\n1,80;30;75,5\n1,65;41;60\n")
    ...     table = lm.problems.from_table(path, "weight")
    >>> table.features, table.X.tolist(), table.y.tolist()
    (('height', 'age'), [[1.8, 30.0], [1.65, 41.0]], [75.5, 60.0])
    >>> table.notes
    ("numbers have a decimal comma: '1,80' is read as 1.80",)
    """
    path = Path(path)
    if isinstance(drop, str):
        raise TypeError(f"drop must be a sequence of names, got {drop!r}: write drop=[{drop!r}]")
    parquet = path.suffix.lower() in (".parquet", ".pq")
    names, lines, rows, notes = _from_parquet(path) if parquet else _from_text(path)
    for name in (target, *drop):
        _require(name, names, path)
    if target in drop:
        raise ValueError(f"column {target!r} is the target, and cannot be dropped: drop another")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    if names[0] in ("", "Unnamed: 0", "__index_level_0__") and _counts(columns[names[0]]) and names[0] != target:
        notes.append("the first column has no name and counts the rows: it is left out")
        drop = [*drop, names[0]]
    columns = {name: cells for name, cells in columns.items() if name not in drop}
    _refuse_missing(columns, lines, path)
    numbers: dict[str, Array] = {}
    worded: dict[str, Sequence[str]] = {}
    for name, cells in columns.items():
        values = [_number(cell) for cell in cells]
        wrong = [i for i, value in enumerate(values) if value is None]
        if not wrong:
            numbers[name] = np.array(values, float)
        elif all(map(_is_word, cells)) and name != target:
            worded[name] = cells
        elif all(map(_is_word, cells)):
            raise ValueError(
                f"{path}: the target {name!r} is text, such as {cells[0][:40]!r}: name a column of numbers, or make "
                "numbers of its words"
            )
        else:
            cell = cells[wrong[0]]
            raise ValueError(
                f"{path}, {lines[wrong[0]]}, column {name!r}: {cell[:40]!r} is not a finite number{_hint(cell)}"
            )
    if worded and not one_hot:
        _refuse_words(worded, path)
    for name, cells in worded.items():
        if len(set(cells)) > _LEVELS:
            raise ValueError(f"{path}, column {name!r} has {len(set(cells))} different words: drop it")
    X, features = [], []
    for name in columns:
        if name == target:
            continue
        if name in worded:
            words = sorted(set(worded[name]))
            notes.append(f"column {name!r} became {len(words)} columns of 0 and 1, one for each word")
            X += [np.array([cell == word for cell in worded[name]], float) for word in words]
            features += [f"{name}={word}" for word in words]
            continue
        if _counts(columns[name]):
            notes.append(f"column {name!r} counts the rows: if it is an index, drop it")
        X.append(numbers[name])
        features.append(name)
    if not X:
        raise ValueError(f"{path} has no column left for X beside the target {target!r}: drop fewer")
    return Table(np.column_stack(X), numbers[target], tuple(features), target, tuple(notes))


def _from_text(path: Path) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a table of text ({error}): UTF-8 is expected") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
        numbered = [
            (reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        raise ValueError(f"{path} is not a table of text ({error})") from None
    if len(numbered) < 2:
        raise ValueError(f"{path} holds no samples: names in the first line, then one sample a line, are expected")
    names = numbered[0][1]
    if all(_number(name) is not None for name in names):
        raise ValueError(
            f"{path}, line {numbered[0][0]}: names of columns are expected, got numbers: write a line such as "
            f"{','.join(f'x{i}' for i in range(1, min(3, len(names))))},y before them"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path} has {names.count(twice[0])} columns {twice[0]!r}: give each a name of its own")
    for line, cells in numbered[1:]:
        if len(cells) != len(names):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells separated by {_DELIMITERS[delimiter]}, but {len(names)} "
                "names in the first line: give all lines as many"
            )
    lines, rows = [f"line {line}" for line, _ in numbered[1:]], [cells for _, cells in numbered[1:]]
    notes: list[str] = []
    if delimiter != ",":
        rows, notes = _without_decimal_commas(rows, lines, path)
    return names, lines, rows, notes


def _without_decimal_commas(rows: list[list[str]], lines: list[str], path: Path) -> tuple[list[list[str]], list[str]]:
    found = next((cell for cells in rows for cell in cells if _COMMA.fullmatch(cell)), None)
    if found is None:
        return rows, []
    for line, cells in zip(lines, rows, strict=True):
        for cell in cells:
            if "." in cell and _number(cell) is not None:
                raise ValueError(
                    f"{path} has numbers with a decimal comma, {found!r}, and with a point, {cell!r} in {line}: write "
                    "all with a point"
                )
    rows = [[cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for cell in cells] for cells in rows]
    return rows, [f"numbers have a decimal comma: {found!r} is read as {found.replace(',', '.')}"]


def _from_parquet(path: Path) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    try:
        import pandas as pd  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{path} is Parquet, which pandas reads: pip install pandas pyarrow") from error
    try:
        frame = pd.read_parquet(path)
    except (OSError, ImportError):
        raise
    except Exception as error:  # of a damaged file, whatever the engine stumbles over
        raise ValueError(f"{path} is not a Parquet file, or a damaged one: {error}") from None
    if not frame.shape[0] or not frame.shape[1]:
        raise ValueError(f"{path} holds no samples")
    columns = [
        ["" if missing else _written(cell) for cell, missing in zip(frame[name], frame[name].isna(), strict=True)]
        for name in frame
    ]
    return (
        list(map(str, frame)),
        [f"row {i}" for i in range(len(frame))],
        list(map(list, zip(*columns, strict=True))),
        [],
    )


def _written(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return str(int(cell))
    return repr(float(cell)) if isinstance(cell, int | float | np.number) else str(cell).strip()


def _number(cell: str) -> float | None:
    """Return the finite number that is written there, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _is_word(cell: str) -> bool:
    """Whether a cell is neither a number, an infinite one included, nor one that is written otherwise."""
    try:
        float(cell)
    except ValueError:
        return not _SEPARATED.fullmatch(cell)
    return False


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells are 0, 1, 2, ... or 1, 2, 3, ..., three or more of them."""
    values = [_number(cell) for cell in cells]
    return len(cells) > 2 and values[0] in (0, 1) and values == [values[0] + i for i in range(len(cells))]


def _hint(cell: str) -> str:
    if cell.count(",") or cell.count(" ") or cell.count("'"):
        return ": write numbers like -1234.5, without separators of thousands"
    return ": write numbers like -1.5e3, or drop the column"


def _require(name: str, names: Sequence[str], path: Path) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    meant = [one for one in names if near and one.lower() == near[0]]
    shown = ", ".join(name or "(no name)" for name in names[:10]) + (
        f" and {len(names) - 10} more" if len(names) > 10 else ""
    )
    raise ValueError(
        f"{path} has no column {name!r}{f': did you mean {meant[0]!r}?' if meant else '.'} Its columns are {shown}"
    )


def _refuse_missing(columns: dict[str, Sequence[str]], lines: Sequence[str], path: Path) -> None:
    missing = [
        (lines[i], name) for name, cells in columns.items() for i, cell in enumerate(cells) if cell.lower() in _MISSING
    ]
    if missing:
        shown = "; ".join(f"{line}, column {name!r}" for line, name in missing[:_NAMED])
        more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        lost = len({line for line, _ in missing})
        raise ValueError(
            f"{path} has {len(missing)} missing value{'s' * (len(missing) > 1)}, in {lost} of {len(lines)} rows: "
            f"{shown}{more}. Fill them, or remove these rows or columns"
        )


def _refuse_words(worded: dict[str, Sequence[str]], path: Path) -> None:
    for name, cells in worded.items():
        if len(set(cells)) == len(cells) > 2:
            raise ValueError(
                f"{path}, column {name!r} has another word in each row, such as {cells[0][:40]!r}: it looks like an "
                "index, so drop it"
            )
    shown = "; ".join(
        f"{name!r} ({', '.join(sorted(set(cells))[:_NAMED])}{', ...' * (len(set(cells)) > _NAMED)})"
        for name, cells in worded.items()
    )
    raise ValueError(f"{path} has columns of words, not numbers: {shown}. Ask for one-hot columns, or drop them")
