"""Problems read from files."""

import csv
import math
import re
import zipfile
from pathlib import Path

import numpy as np

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._types import Array
from linreg_mirror.problems.problem import Problem


def from_file(path: str | Path, y_path: str | Path | None = None) -> Problem:
    """Read a problem from an npz file with arrays X and y, or from two CSV files.

    Parameters
    ----------
    path : path
        An .npz file; or, with any other ending, the CSV file of X: one sample a line, cells separated by commas. A
        first line without any number in it is taken for a header; empty lines are skipped.
    y_path : path, optional
        The CSV file of y, in one column or one line; needed with CSV, refused with npz.

    Returns
    -------
    Problem
        With the squared loss; `truth` is not known.

    Raises
    ------
    ValueError
        If arrays are missing, an entry is no finite number (naming line and column in CSV), or shapes do not fit.
    OSError
        If a file cannot be read.

    Notes
    -----
    Nothing is unpickled. y may also be a matrix of one column or one row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "data.npz", X=[[1.0, 2.0]], y=[2.0])
    ...     problem = lm.problems.from_file(Path(folder) / "data.npz")
    >>> problem.n, problem.d
    (1, 2)
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        if y_path is not None:
            raise ValueError(f"an .npz file holds both X and y, got {path} and {y_path}: leave the second out")
        X, y = _read_npz(path)
    else:
        if y_path is None:
            raise ValueError(
                f"{path} is read as CSV, because it does not end in .npz, and holds X alone: name the CSV file of y too"
            )
        X, y = _read_csv(path), _read_csv(Path(y_path))
    if X.ndim < y.ndim or (X.ndim == y.ndim == 2 and min(X.shape) == 1 < min(y.shape) and X.size in y.shape):
        instead = f"name {y_path} first, then {path}" if y_path is not None else "write np.savez(path, X=y, y=X)"
        raise ValueError(
            f"{path if y_path is None else f'{path} and {y_path}'}: X has shape {X.shape} and y {y.shape}, as if they "
            f"were exchanged: {instead}"
        )
    if y.ndim == 2 and 1 in y.shape:
        y = y.ravel()
    try:
        return Problem(as_real_array("X", X), as_real_array("y", y))
    except (ValueError, TypeError) as error:
        instead = r"save \1 as X" if y_path is not None else r"write np.savez(path, X=\1, y=y)"
        said = re.sub(r"write Problem\((X\.T|np\.atleast_2d\(X\)), y\)", instead, str(error))
        raise ValueError(f"{path if y_path is None else f'{path} and {y_path}'}: {said}") from None


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # NumPy would take it for a pickle, and complain of that
            raise ValueError(f"{path} is not an npz file, or a damaged one: write np.savez(path, X=X, y=y)")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                if not {"X", "y"} <= set(archive.files):
                    raise ValueError(f"it holds {', '.join(archive.files) or 'nothing'}, arrays X and y are expected")
                return np.asarray(archive["X"]), np.asarray(archive["y"])
        except Exception as error:  # a damaged archive raises whatever zipfile, zlib or NumPy's parser stumble over
            raise ValueError(
                f"{path} does not hold a problem: {error}; write np.savez(path, X=X, y=y) with arrays of numbers"
            ) from None


def _read_csv(path: Path) -> Array:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file ({error}): cells separated by commas are expected") from None
    if lines and not any(map(_is_number, lines[0][1])):
        lines = lines[1:]  # a header
    if not lines:
        raise ValueError(f"{path} holds no numbers: one sample a line, cells separated by commas, is expected")
    first, width = lines[0][0], len(lines[0][1])
    X = np.empty((len(lines), width))
    for i, (line, cells) in enumerate(lines):
        if len(cells) != width:
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells, but {width} in line {first}: give all lines as many"
            )
        for j, cell in enumerate(cells):
            if not (_is_number(cell) and math.isfinite(float(cell))):
                raise ValueError(
                    f"{path}, line {line}, column {j + 1}: {cell.strip()[:40]!r} is not a finite number; write "
                    "numbers like -1.5e3, separated by commas"
                )
            X[i, j] = float(cell)
    return X


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
